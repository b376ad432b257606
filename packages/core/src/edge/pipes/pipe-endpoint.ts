import type { BackendLinks } from '../../backend-links.js';
import { closeReason, type CloseReason } from '../../close-codes.js';
import type { EdgeStats } from '../../stats.js';
import type { Connection, Endpoint, SubscribeRequest } from '../delivery/connection.js';
import type { Sender } from '../delivery/sender.js';
import { limitRequest, type RequestRate } from '../rate-limits.js';
import { RefusalError } from '../refusals.js';
import { pipeSubscriptions } from '../subscriptions/unretained-streams.js';
import { MessagePacer } from './message-pacer.js';

/** An endpoint whose connections are pipes to one back end (docs/backend-links.md). */
export interface PipeOptions {
  /** The back end's name. */
  readonly name: string;
  readonly path: string;
  /** A user's second connection in the cluster is refused, or the first is closed with 4501. */
  readonly sessionPolicy: 'reject' | 'replace';
}

export interface PipeEndpointDeps {
  readonly links: BackendLinks;
  readonly sender: Sender;
  readonly stats: EdgeStats;
}

/** RFC 6455's registry: "service restart" and "try again later". */
export const BACKEND_LOST: CloseReason = { code: 1012, reason: 'backend_lost' };
export const BACKEND_BUSY: CloseReason = { code: 1013, reason: 'backend_busy' };

/** A text of the client that is an object or array; anything else goes as a string, so that no client can pose as one. */
const CONTAINER = /^[ \t\r\n]*[[{]/;

/**
 * An endpoint that adds nothing to what its connections carry: all they say goes to a back end, all they hear comes from
 * it. One connection per user in the whole cluster, which the engine sees to at admission.
 */
export class PipeEndpoint implements Endpoint {
  readonly path: string;
  readonly guests = false;
  readonly hub = null;
  readonly exclusive: 'reject' | 'replace';
  readonly wantsBroadcast = false;
  /** The back end's name. */
  readonly backend: string;
  readonly #deps: PipeEndpointDeps;
  readonly #rate: RequestRate;
  readonly #pacer: MessagePacer;
  /** Keeps a byte order mark: what a client wrote is passed on whole. */
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });

  constructor(deps: PipeEndpointDeps, pipe: PipeOptions, rate: RequestRate) {
    this.path = pipe.path;
    this.exclusive = pipe.sessionPolicy;
    this.backend = pipe.name;
    this.#deps = deps;
    this.#rate = rate;
    this.#pacer = new MessagePacer({
      rate,
      forward: (connection, message) => this.#forward(connection, message),
      onHeld: (_, bytes) => (deps.stats.link(pipe.name).heldBytes += bytes),
    });
  }

  /** No frame could carry a topic: a client that asks for one must not believe that it is subscribed. */
  checkQuery({ topics, recover }: Parameters<Endpoint['checkQuery']>[0]): void {
    if (topics.length === 0 && recover.size === 0) return;
    throw new RefusalError('bad_request', 'topics, recover: not here; all of this endpoint is piped to a backend');
  }

  checkOpen(): void {
    if (this.#deps.links.accepts(this.backend)) return;
    throw new RefusalError('unavailable', 'the backend of this endpoint is away; come back');
  }

  subscriptions(user: string | null): SubscribeRequest[] {
    return pipeSubscriptions(this.backend, user);
  }

  greeting(): null {
    return null;
  }

  opened(connection: Connection): void {
    const { links, sender } = this.#deps;
    // The link may have broken after the admission.
    if (!links.accepts(this.backend)) sender.close(connection, BACKEND_LOST);
    else if (!links.opened(this.backend, clientOf(connection))) this.#refuse(connection);
  }

  message(connection: Connection, text: ArrayBuffer): void {
    const { sender, stats } = this.#deps;
    stats.messagesReceived.add('pipe');
    // Nobody here could answer a surplus message: it waits for its turn, and only the limit's last step ends anything.
    const isFarTooMuch = limitRequest(connection, this.#rate, text.byteLength, performance.now()) === 'close';
    if (isFarTooMuch || !this.#pacer.take(connection, this.#decoder.decode(text)))
      sender.close(connection, closeReason('rate_limited'));
  }

  closed(connection: Connection, close: CloseReason): void {
    // Who is closed for sending too much does not have the rest of it sent all the same.
    if (close.code === BACKEND_BUSY.code || close.code === closeReason('rate_limited').code)
      this.#pacer.drop(connection);
    else this.#pacer.flush(connection);
    this.#deps.links.closed(this.backend, clientOf(connection), close);
  }

  /** A pipe carries nothing but what its back end sends. */
  drainNotice(): null {
    return null;
  }

  /** Parses what the client wrote only now, so that the rate bounds what parsing costs, too. */
  #forward(connection: Connection, text: string): void {
    if (!this.#deps.links.message(this.backend, clientOf(connection), messageJson(text))) this.#refuse(connection);
  }

  #refuse(connection: Connection): void {
    if (connection.state !== 'open') return;
    this.#deps.stats.link(this.backend).overflows++;
    this.#deps.sender.close(connection, BACKEND_BUSY);
  }
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
    // Not an error: a client may write what it likes, and the back end gets it as a string.
    return false;
  }
}
