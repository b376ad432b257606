import type { BackendLinks, PipeHost } from '../../backend-links.js';
import { closeReason, type CloseReason } from '../../close-codes.js';
import type { Engine } from '../../engine.js';
import type { Logger } from '../../logger.js';
import type { EdgeStats } from '../../stats.js';
import type { ConnectionTable } from '../delivery/connection-table.js';
import type { Connection } from '../delivery/connection.js';
import type { Delivery } from '../delivery/delivery.js';
import type { Endpoint, PipeOptions } from '../endpoints.js';
import { PipeActions } from './action-runner.js';
import { RefusalError } from '../refusals.js';
import type { Sender } from '../delivery/sender.js';
import { limitRequest } from '../rate-limits.js';

export interface PipeLimits {
  /** Per connection; 0: no limit. */
  readonly requestsPerSecond: number;
  /** What a backend asks for in one message. */
  readonly actionBytes: number;
}

interface PipesDeps {
  readonly engine: Engine;
  readonly links: BackendLinks;
  readonly connections: ConnectionTable;
  readonly delivery: Delivery;
  readonly sender: Sender;
  readonly stats: EdgeStats;
  readonly logger: Logger;
}

/** RFC 6455's registry: "service restart" and "try again later". */
const BACKEND_LOST: CloseReason = { code: 1012, reason: 'backend_lost' };
const BACKEND_BUSY: CloseReason = { code: 1013, reason: 'backend_busy' };

/** A text of the client that is an object or array; anything else goes as a string, so that no client can pose as one. */
const CONTAINER = /^[ \t\r\n]*[[{]/;

/**
 * Connections that are pipes to a backend: nothing is added to what they carry. One per user and endpoint in the whole
 * cluster, which the engine sees to at admission.
 */
export class Pipes implements PipeHost {
  readonly #deps: PipesDeps;
  readonly #limits: PipeLimits;
  readonly #actions: PipeActions;
  /** Not the edge's decoder, which drops a byte order mark: what a client wrote is passed on whole. */
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });

  constructor(deps: PipesDeps, pipes: readonly PipeOptions[], limits: PipeLimits) {
    this.#deps = deps;
    this.#limits = limits;
    this.#actions = new PipeActions(deps, pipes, limits);
  }

  /** Throws RefusalError `unavailable`. */
  checkBackendUp({ pipe }: Endpoint): void {
    if (pipe === null || this.#deps.links.accepts(pipe.name)) return;
    throw new RefusalError('unavailable', 'the backend of this endpoint is away; come back');
  }

  opened(connection: Connection): void {
    const { links, sender } = this.#deps;
    const pipe = pipeOf(connection);
    // The link may have broken after the admission.
    if (!links.accepts(pipe)) sender.close(connection, BACKEND_LOST);
    else if (!links.opened(pipe, clientOf(connection))) this.#refuse(connection, pipe);
  }

  message(connection: Connection, text: ArrayBuffer): void {
    const { links, sender, stats } = this.#deps;
    stats.messagesReceived.add('pipe');
    // Nobody here could answer a surplus message, so only the limit's last step is taken.
    if (limitRequest(connection, this.#limits.requestsPerSecond, Date.now()) === 'close') {
      sender.close(connection, closeReason('rate_limited'));
      return;
    }
    const pipe = pipeOf(connection);
    const message = messageJson(this.#decoder.decode(text));
    if (!links.message(pipe, clientOf(connection), message)) this.#refuse(connection, pipe);
  }

  closed(connection: Connection, close: CloseReason): void {
    this.#deps.links.closed(pipeOf(connection), clientOf(connection), close);
  }

  perform(pipe: string, actions: readonly string[]): Promise<string[]> {
    return this.#actions.perform(pipe, actions);
  }

  lost(pipe: string): void {
    const { connections, sender } = this.#deps;
    for (const connection of [...connections.all()]) {
      if (connection.endpoint.pipe?.name === pipe) sender.close(connection, BACKEND_LOST);
    }
  }

  /**
   * Those that the engine will replace when it admits this connection. Asked for before and closed after, here and not
   * only by the engine's command: else a backend might hear of the new connection first, and take the user for gone when
   * it hears of the old one's end.
   */
  connectionsToReplace(connection: Connection): Connection[] {
    const { endpoint, user } = connection;
    if (user === null || endpoint.pipe?.sessionPolicy !== 'replace') return [];
    const ofUser = [...this.#deps.connections.ofUser(user)];
    return ofUser.filter((other) => other !== connection && other.endpoint === endpoint && other.state === 'open');
  }

  replace(holders: readonly Connection[]): void {
    for (const holder of holders) this.#deps.sender.close(holder, closeReason('session_replaced'));
  }

  #refuse(connection: Connection, pipe: string): void {
    this.#deps.stats.link(pipe).overflows++;
    this.#deps.sender.close(connection, BACKEND_BUSY);
  }
}

function pipeOf({ endpoint }: Connection): string {
  if (endpoint.pipe === null) throw new Error(`${endpoint.path} is not piped to a backend`);
  return endpoint.pipe.name;
}

function clientOf(connection: Connection): { user: string; connection: string } {
  // Guests are not let in.
  return { user: connection.user!, connection: connection.id };
}

function messageJson(text: string): string {
  return CONTAINER.test(text) && isJson(text) ? text : JSON.stringify(text);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    // Not an error: a client may write what it likes, and the backend gets it as a string.
    return false;
  }
}
