import {
  refusalClose,
  refusedFrame,
  type Admission,
  type EdgeHandler,
  type Handshake,
  type Refusal,
} from '@ws-gateway/core';
import { refusals } from './http-answer.js';
import type { UwsSocket } from './uws-socket.js';
import type { WaitingClient } from './waiting-client.js';

/** A frame counts as so many bytes at least: what is kept of a short one is mostly the keeping. */
const FRAME_BYTES_MIN = 64;

/** Bytes that all sockets together hold before they are admitted. */
const HELD_BYTES_MAX = 32 * 1024 * 1024;

/** Room for frames of sockets that wait. */
export class HeldBytes {
  #bytes = 0;

  take(bytes: number): boolean {
    if (this.#bytes + bytes > HELD_BYTES_MAX) return false;
    this.#bytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#bytes -= bytes;
  }
}

interface WaitingSocketParts {
  readonly handler: EdgeHandler;
  readonly held: HeldBytes;
  readonly maxPayloadBytes: number;
  readonly onError: (error: unknown) => void;
}

/**
 * A socket whose client is not admitted yet: what it sends waits, bounded, and is taken in order behind `connected`. A
 * refusal is a frame and a close.
 */
export class WaitingSocket implements WaitingClient {
  aborted = false;
  readonly #socket: UwsSocket;
  readonly #handshake: Handshake;
  readonly #parts: WaitingSocketParts;
  #frames: ArrayBuffer[] = [];
  #bytes = 0;

  constructor(socket: UwsSocket, handshake: Handshake, parts: WaitingSocketParts) {
    this.#socket = socket;
    this.#handshake = handshake;
    this.#parts = parts;
    socket.waiting = this;
  }

  /** A frame came. */
  hold(frame: ArrayBuffer): void {
    if (this.aborted) return;
    const bytes = Math.max(frame.byteLength, FRAME_BYTES_MIN);
    const { maxPayloadBytes, held } = this.#parts;
    if (this.#frames.length > 0 && this.#bytes + bytes > maxPayloadBytes) {
      this.#giveUp();
      this.#socket.end(1009, 'message too big');
    } else if (held.take(bytes)) {
      this.#bytes += bytes;
      // The frame's memory is uWebSockets.js's and gone after this callback.
      this.#frames.push(frame.slice(0));
    } else {
      this.#refuseByItself(refusals.tooMany);
    }
  }

  /** The socket has closed. */
  closed(): void {
    this.#giveUp();
  }

  expire(): void {
    if (!this.aborted) this.#refuseByItself(refusals.tooSlow);
  }

  decided(admission: Admission): void {
    const { handler } = this.#parts;
    if (this.aborted) {
      if (admission.admitted) handler.closed(admission.connection, 1006, '');
      return;
    }
    const refusal = admission.admitted ? handler.confirm(admission.connection) : admission.refusal;
    if (refusal !== null) this.#refuse(refusal);
    else if (admission.admitted) this.#open(admission.connection);
  }

  #open(connection: object): void {
    const { handler, onError } = this.#parts;
    const socket = this.#socket;
    const frames = this.#take();
    socket.connection = connection;
    socket.waiting = null;
    socket.guard(() => {
      handler.opened(connection, socket);
      for (const frame of frames) handler.message(connection, frame);
    }, onError);
  }

  #refuseByItself(refusal: Refusal): void {
    this.#parts.handler.refused(this.#handshake, refusal);
    this.#refuse(refusal);
  }

  #refuse(refusal: Refusal): void {
    this.#giveUp();
    const { code, reason } = refusalClose(refusal);
    this.#socket.cork(() => {
      this.#socket.send(refusedFrame(refusal));
      this.#socket.end(code, reason);
    });
  }

  #giveUp(): void {
    this.aborted = true;
    this.#take();
  }

  #take(): ArrayBuffer[] {
    const frames = this.#frames;
    this.#parts.held.give(this.#bytes);
    this.#frames = [];
    this.#bytes = 0;
    return frames;
  }
}
