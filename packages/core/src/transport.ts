import type { StreamPosition } from './streams.js';

/**
 * The seam between the edge and whatever carries sockets. The transport copies everything out of the request, lets the
 * edge look at it (`receive`, then `admit`), tells a refusal or opens the socket, and reports the socket's life. It decides
 * nothing.
 */
export interface EdgeHandler {
  /**
   * The first look at a handshake, synchronous: path, origin, rate, subprotocols. A refusal is told by HTTP. Never throws.
   */
  receive(handshake: Handshake): Reception;
  /**
   * Decides about a handshake that was received. Must never reject. `attempt.aborted` is true when the client went away or
   * the handshake took longer than `server.readTimeout`; an admission that finishes later is undone with `closed`.
   */
  admit(arrival: Arrival, attempt: Attempt): Promise<Admission>;
  /** Told of each handshake that the transport itself refused: malformed, too many at once, too slow. */
  refused(handshake: Handshake, refusal: Refusal): void;
  /**
   * Called right before `opened`. A refusal takes the admission back, and `closed` is not called for it then: what was
   * right when it was admitted may not be so any more.
   */
  confirm(connection: TransportConnection): Refusal | null;
  /** The socket is open, and its client admitted; frames may be sent from here on. */
  opened(connection: TransportConnection, socket: Socket): void;
  /** A text frame. Binary frames are closed with 1003 by the transport. */
  message(connection: TransportConnection, text: ArrayBuffer): void;
  /** The peer floods the socket with what only the transport sees (pings, pongs): end it with this code and reason. */
  abused(connection: TransportConnection, code: number, reason: string): void;
  /** Something of the socket's backlog moved. */
  drained(connection: TransportConnection): void;
  /**
   * Always called once for each admission, also when it was never opened (code 1006). Methods of the socket may not be
   * called any more.
   */
  closed(connection: TransportConnection, code: number, reason: string): void;
}

/** Opaque to the transport: the edge's own object, handed back with each event. */
export type TransportConnection = object;

export interface Handshake {
  /** Path without query, percent-decoding not applied. */
  readonly path: string;
  /** Raw query without '?', '' when absent. */
  readonly query: string;
  readonly authorization: string;
  /** Any header, by its name in small letters; '' for one that did not come. */
  readonly header: (name: string) => string;
  readonly origin: string | null;
  /** Raw `Sec-WebSocket-Protocol`, '' when absent. */
  readonly protocols: string;
  /** Raw `X-Forwarded-For`, '' when absent. */
  readonly forwardedFor: string;
  /** The peer's address in text; IPv4-mapped IPv6 addresses are given as IPv4. */
  readonly remoteAddress: string;
  /**
   * Id of the last event that a client of server-sent events has, '' for none (see readEventId). Absent: it is no
   * such client.
   */
  readonly lastEventId?: string;
}

export type Reception =
  { readonly received: true; readonly arrival: Arrival } | { readonly received: false; readonly refusal: Refusal };

/** A handshake on its way. More than this is the edge's own. */
export interface Arrival {
  /** Subprotocol to select; null: none was offered. */
  readonly protocol: string | null;
  /**
   * The client reads refusals from frames (`refusedFrame`), because no browser shows it an HTTP answer: it is to be
   * upgraded at once, and admitted over the open socket.
   */
  readonly readsRefusals: boolean;
}

/** What the transport knows about a handshake while the edge decides; an AbortSignal is one. */
export interface Attempt {
  readonly aborted: boolean;
}

export type Admission =
  | { readonly admitted: true; readonly connection: TransportConnection }
  | { readonly admitted: false; readonly refusal: Refusal };

/**
 * Told by an HTTP answer with the body `{"error":{"code","message",…details}}`, or by a frame (`refusedFrame`) and a close
 * (`refusalClose`).
 */
export interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly retryAfterSeconds?: number;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** One open socket. No method throws after the close: it does nothing and says 'closed'. */
export interface Socket {
  /** Transport that carries it: fan-out to its groups goes this way. */
  readonly transport: Transport;
  /**
   * Told once, before the first frame, where the client is in each stream that has history; from then on the frames tell.
   * Absent where nobody asks.
   */
  begin?(positions: readonly StreamPosition[]): void;
  send(frame: Uint8Array | string): 'sent' | 'buffered' | 'closed';
  /** Runs `write` so that all its sends leave in one system call. */
  cork(write: () => void): void;
  /** Bytes accepted but not yet taken by the kernel. */
  bufferedBytes(): number;
  /** Membership of a group of its own transport, for `Transport.publish`. */
  join(group: string): void;
  leave(group: string): void;
  /** Pings the peer and ends the connection (1006) when it has not answered in time. */
  probe(timeoutMs: number): void;
  /** Sends a close frame; `closed` follows, perhaps before this returns. */
  end(code: number, reason: string): void;
}

/**
 * Carries sockets. A node may have several transports; each serves the groups of its own sockets and knows nothing of
 * the others.
 */
export interface Transport {
  /** Fan-out to all of its sockets that joined the group, one shared buffer. Skips nobody as long as backlogs are watched. */
  publish(group: string, frame: Uint8Array): void;
}
