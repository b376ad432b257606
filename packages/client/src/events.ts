import type { AnswerError, ClientError } from './errors.js';
import type { Connected, Message } from './frames.js';
import type { Refused } from './refusal.js';

/** Events of the client, by name. */
export interface ClientEvents {
  /** Every message, once, in the order of its stream. */
  message: Message;
  /** Connected, for the first time or again; `recovered` and `lost` of its streams follow, then messages. */
  connected: Connected;
  /** A connection ended; `reconnecting` or `closed` follows. */
  disconnected: Disconnected;
  /** The next attempt is waited for. */
  reconnecting: Reconnecting;
  /** Nothing of the stream is missing; what was missed comes as messages, right after. */
  recovered: Recovered;
  /** The gateway said why it did not let us in; `reconnecting` or `closed` follows. */
  refused: Refused;
  /** It cannot be proved that nothing of the stream is missing: get its state from where it is kept. */
  lost: Lost;
  /** Something went wrong; the client deals with it. For logs. */
  error: ClientError | AnswerError;
  /** The end: nothing follows. */
  closed: Closed;
}

export interface Disconnected {
  /** Close code; 1006 when the connection just broke. */
  readonly code: number;
  readonly reason: string;
}

export interface Reconnecting {
  /** Attempts in a row that failed; 0 after a connection that had stood. */
  readonly attempt: number;
  readonly delayMs: number;
  readonly code: number;
  readonly reason: string;
}

/** A stream and what it belongs to. */
export interface StreamOf {
  readonly stream: string;
  readonly topic?: string;
  readonly room?: string;
}

export interface Recovered extends StreamOf {
  /** Messages that follow. */
  readonly replayed: number;
}

export interface Lost extends StreamOf {
  /**
   * - `history`: the gateway has not kept all that came after our position.
   * - `epoch`: the stream began anew while the connection stood.
   * - `position`: the gateway could not read our position.
   */
  readonly why: 'history' | 'epoch' | 'position';
  /** Messages that follow: what the gateway still has. */
  readonly replayed: number;
}

export interface Closed {
  /**
   * - `client`: by `close()`.
   * - `gateway`: a close code that means "do not come back", such as 4500 `user_blocked`.
   * - `refused`: the handshake was refused for good; `refusal` says why.
   * - `token`: the token was refused or expired, and there is no new one that is good.
   * - `attempts`: `maxAttempts` in a row failed.
   * - `failed`: the WebSocket class does not work here; `reason` says why.
   */
  readonly why: 'client' | 'gateway' | 'refused' | 'token' | 'attempts' | 'failed';
  /** WebSocket close code, or the HTTP status of a refusal that came by HTTP. */
  readonly code: number;
  readonly reason: string;
  /** Refusal; set with `refused`, and with `token` where the gateway said it. */
  readonly refusal?: Refused;
}
