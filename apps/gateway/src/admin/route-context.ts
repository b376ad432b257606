import {
  isUserId,
  type ClusterSurvey,
  type Engine,
  type Logger,
  type RecordWriter,
  type Retention,
  type TopicPolicy,
  type Traces,
  type HttpRequest,
  type HttpStream,
} from '@ws-gateway/core';
import type { DeadLetterArchive } from '../records/dead-letter-archive.js';
import { AdminError } from './admin-error.js';

/** Parts that the handlers work with. */
export interface AdminDeps {
  readonly engine: Engine;
  readonly survey: ClusterSurvey;
  readonly traces: Pick<Traces, 'open'>;
  readonly logger: Logger;
  /** The caller's address: the peer's, or what a trusted proxy says. */
  readonly clientAddress: (request: HttpRequest) => string;
  /** Processes that share the port. */
  readonly workers: number;
  readonly topics: ReadonlyMap<string, TopicPolicy>;
  /** Writes blocks to the topic that is read for them; null: this node writes nothing. */
  readonly writer: RecordWriter | null;
  readonly maxRecordBytes: number;
  readonly roomRetention: Retention | null;
  /** Size of an answer with history; may change at any time. */
  readonly historyBytes: () => number;
  /** Reads the dead letter topic. Rejects with AdminError when Kafka does not answer. */
  readonly deadLetters: <T>(work: (archive: DeadLetterArchive) => Promise<T>) => Promise<T>;
}

export interface AdminRoute {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Parts such as `:user` stand for one segment. */
  readonly path: string;
  /** 200 unless given. */
  readonly status?: number;
  /** Resolves to the body. Throws or rejects with AdminError or EngineError. */
  readonly handle: (deps: AdminDeps, request: HttpRequest) => object | Promise<object>;
}

/** A body that is JSON text already. */
export class JsonText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** A body of server-sent events that is written for as long as the client listens. */
export class EventStream {
  readonly body: HttpStream;

  constructor(body: HttpStream) {
    this.body = body;
  }
}

export function userOf(request: HttpRequest): string {
  return requireUser(request.params['user']);
}

export function requireUser(user: string | null | undefined): string {
  if (typeof user === 'string' && isUserId(user)) return user;
  throw new AdminError('bad_request', 'user: 1 to 128 characters without control characters');
}
