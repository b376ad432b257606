import type { HttpAnswer, HttpStream, HttpStreamClient, HttpStreamEvents } from '@ws-gateway/core';
import type { HttpResponse } from 'uWebSockets.js';
import { writeHead } from './http-answer.js';

/**
 * Bytes written in one cork. uWebSockets.js 20.51.4 loses bytes of a corked HTTP write when the flush of the cork's buffer,
 * which holds 16 kB, meets a socket that takes no more (uWebSockets.js issue 1249).
 */
const PIECE_BYTES = 12 * 1024;

/** Begins an answer that is written piece by piece. `res` must be neither aborted nor answered. */
export function streamAnswer(res: HttpResponse, answer: HttpAnswer, head: { method: string }): StreamedBody | null {
  const open = answer.body as HttpStream;
  res.cork(() => {
    writeHead(res, answer);
    if (head.method === 'HEAD') res.endWithoutBody(0, true);
  });
  return head.method === 'HEAD' ? null : new StreamedBody(res, open);
}

/** Holds what the client does not take, in order; uWebSockets.js itself would hold all of it and not say how much. */
export class StreamedBody implements HttpStreamClient {
  readonly #events: HttpStreamEvents;
  #res: HttpResponse | null;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  /** True from the start: what is written before `open` has returned waits for it. */
  #isBlocked = true;
  #isEnding = false;

  constructor(res: HttpResponse, open: HttpStream) {
    this.#res = res;
    res.onWritable(() => this.#resume());
    this.#events = open(this);
    this.#resume();
  }

  write(piece: string | Uint8Array): void {
    if (this.#res === null || this.#isEnding) return;
    const bytes = Buffer.from(piece as string);
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) this.#put(bytes.subarray(at, at + PIECE_BYTES));
  }

  bufferedBytes(): number {
    return this.#waitingBytes;
  }

  end(): void {
    if (this.#res === null || this.#isEnding) return;
    this.#isEnding = true;
    if (!this.#isBlocked) this.#finish();
  }

  /** The client went away: `res` may not be touched any more. */
  aborted(): void {
    this.#close();
  }

  #put(piece: Uint8Array): void {
    if (this.#isBlocked) {
      this.#waiting.push(piece);
      this.#waitingBytes += piece.length;
    } else {
      this.#send(piece);
    }
  }

  #send(piece: Uint8Array): void {
    const res = this.#res!;
    res.cork(() => {
      this.#isBlocked = !res.write(piece);
    });
  }

  #resume(): boolean {
    this.#isBlocked = false;
    while (!this.#isBlocked && this.#waiting.length > 0) {
      const piece = this.#waiting.shift()!;
      this.#waitingBytes -= piece.length;
      this.#send(piece);
    }
    if (this.#isBlocked) return false;
    if (this.#isEnding) this.#finish();
    else this.#events.drained?.();
    return true;
  }

  #finish(): void {
    const res = this.#res;
    if (res === null) return;
    // Asked to close the connection, too, uWebSockets.js would write a header into the body.
    res.cork(() => res.end());
    this.#close();
  }

  #close(): void {
    if (this.#res === null) return;
    this.#res = null;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#events.closed();
  }
}
