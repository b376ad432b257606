import type { MetricsSnapshot } from '@ws-gateway/telemetry';
import type { Config } from '../config/config.js';
import type { Tree } from '../config/language/tree.js';
import type { NodeState } from '../http/health.js';

/** Answers of a worker about itself. */
export interface OwnAnswers {
  readonly state: NodeState;
  readonly metrics: MetricsSnapshot;
}

/** Answers about all workers, which a worker whom a client asked wants to know. */
export interface GroupAnswers {
  readonly state: readonly NodeState[];
  readonly metrics: { readonly contentType: string; readonly body: string };
}

export type Question = keyof OwnAnswers & keyof GroupAnswers;

/** Messages from the supervisor to a worker. */
export type ToWorker =
  /** The first one. All workers get the same configuration, whatever the file says by now. */
  | { readonly kind: 'start'; readonly config: Config; readonly tree: Tree; readonly opensGrpc: boolean }
  /** A configuration without findings, read again. */
  | { readonly kind: 'reload'; readonly tree: Tree }
  | { readonly kind: 'stop'; readonly reason: string }
  | { readonly kind: 'open-grpc' }
  | { readonly kind: 'question'; readonly about: Question }
  | { readonly kind: 'group-answer'; readonly id: number; readonly answer: GroupAnswers[Question] };

/** Messages from a worker to the supervisor. */
export type ToSupervisor =
  | { readonly kind: 'listening' }
  | { readonly kind: 'answer'; readonly about: 'state'; readonly answer: NodeState }
  | { readonly kind: 'answer'; readonly about: 'metrics'; readonly answer: MetricsSnapshot }
  | { readonly kind: 'group-question'; readonly id: number; readonly about: Question };
