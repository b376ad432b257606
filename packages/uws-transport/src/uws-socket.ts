import { cutReason, type CloseReason, type Socket, type Transport, type TransportConnection } from '@ws-gateway/core';
import type { WebSocket } from 'uWebSockets.js';
import { ControlFrames } from './control-frames.js';
import { TransportError } from './transport-error.js';
import type { WaitingSocket } from './waiting-socket.js';

/** Data that uWebSockets.js keeps for each socket; it copies the members onto its own object. */
export interface SocketData {
  readonly socket: UwsSocket;
}

/** Results of WebSocket.send. */
const BUFFERED = 0;
const SENT = 1;

/**
 * The edge's view of one WebSocket. Every method of a closed uWebSockets.js socket throws; this object is the one place
 * that knows whether it is closed: `#ws` is null before the upgrade, after the close and from `end` on.
 */
export class UwsSocket implements Socket {
  readonly transport: Transport;
  /** null until its client is admitted. */
  connection: TransportConnection | null;
  /** Client that is not admitted yet; null when it is. */
  waiting: WaitingSocket | null = null;
  #ws: WebSocket<SocketData> | null = null;
  /** Its place in the PingWheel. */
  pingSlot = -1;
  #corked = false;
  /** Set while the peer is asked whether it is still there. */
  #probe: NodeJS.Timeout | null = null;
  #ending: Ending | null = null;
  /** Made with the first one. */
  #control: ControlFrames | null = null;

  constructor(transport: Transport, connection: TransportConnection | null = null) {
    this.transport = transport;
    this.connection = connection;
  }

  attach(ws: WebSocket<SocketData>): void {
    this.#ws = ws;
  }

  detach(): void {
    this.heard();
    this.#ws = null;
    this.#ending = null;
  }

  send(frame: Uint8Array | string): 'sent' | 'buffered' | 'closed' {
    const ws = this.#ws;
    if (ws === null) return 'closed';
    const status = ws.send(frame, false, false);
    if (status === SENT) return 'sent';
    if (status === BUFFERED) return 'buffered';
    // maxBackpressure is off, so it has no reason to drop: never lose a frame in silence.
    throw new TransportError('frame_dropped', 'uWebSockets.js dropped a frame');
  }

  probe(timeoutMs: number): void {
    if (this.#ws === null || this.#probe !== null) return;
    this.#probe = setTimeout(() => this.#giveUp(), timeoutMs);
    this.#probe.unref();
    this.ping();
  }

  /** The peer has said something: it is there. */
  heard(): void {
    if (this.#probe === null) return;
    clearTimeout(this.#probe);
    this.#probe = null;
  }

  /** The peer has sent a ping or a pong. Gives the reason to end the socket, null: none. */
  signalled(): CloseReason | null {
    this.heard();
    if (this.#ws === null) return null;
    return (this.#control ??= new ControlFrames()).take(this.#ws.getBufferedAmount(), performance.now());
  }

  ping(): void {
    this.#ws?.ping();
  }

  cork(write: () => void): void {
    const ws = this.#ws;
    if (ws === null) return;
    if (this.#corked) {
      write();
      return;
    }
    this.#corked = true;
    try {
      ws.cork(write);
    } finally {
      this.#corked = false;
      this.#finishEnd();
    }
  }

  /** Calls the edge, or what calls it: an exception ends up here. Uncaught, it would end the process. */
  guard(call: (socket: this) => void, onError: (error: unknown) => void): void {
    try {
      call(this);
    } catch (error) {
      onError(error);
      this.end(1011, 'internal error');
    }
  }

  /** While corked, what lies in the cork's buffer is not counted: it has its chance to leave first. */
  bufferedBytes(): number {
    return this.#ws === null ? 0 : this.#ws.getBufferedAmount();
  }

  join(group: string): void {
    this.#ws?.subscribe(group);
  }

  leave(group: string): void {
    this.#ws?.unsubscribe(group);
  }

  end(code: number, reason: string): void {
    const ws = this.#ws;
    if (ws === null) return;
    this.#ws = null;
    this.#ending = { ws, code, reason: cutReason(reason) };
    // Ended inside its own cork, uWebSockets.js sends the close frame but forgets the FIN: the connection would linger
    // until a timeout of up to 16 s.
    if (!this.#corked) this.#finishEnd();
  }

  /** Without a close frame: nobody would read it, and its answer would be waited for. */
  #giveUp(): void {
    this.#probe = null;
    this.#ws?.close();
  }

  #finishEnd(): void {
    const ending = this.#ending;
    if (ending === null) return;
    this.#ending = null;
    ending.ws.end(ending.code, ending.reason);
  }
}

interface Ending {
  readonly ws: WebSocket<SocketData>;
  readonly code: number;
  readonly reason: string;
}
