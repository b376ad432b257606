import type { HttpAnswer, HttpStream, HttpStreamClient, HttpStreamEvents } from '@ws-gateway/core';
import type { HttpResponse } from 'uWebSockets.js';
import { writeHead } from './http-answer.js';

/**
 * Bytes written in one cork. uWebSockets.js 20.51.4 loses bytes of a corked HTTP write when the flush of the cork's buffer,
 * which holds 16 kB, meets a socket that takes no more (uWebSockets.js issue 1249).
 */
const PIECE_BYTES = 12 * 1024;

/**
 * uWebSockets.js ends a connection 10 s after a write that it could not take whole, unless its socket becomes writable
 * before: that is when a third of the kernel's buffer is free, which takes a slow client longer, though it reads all the
 * time. How long a client may take, or stall, is the writer's to say.
 */
const PATIENCE_MS = 4000;

const NOBODY: HttpStreamEvents = { closed: () => undefined };

/** Begins an answer that is written piece by piece. `res` must be neither aborted nor answered. */
export function streamAnswer(res: HttpResponse, answer: HttpAnswer, head: { method: string }): StreamedBody | null {
  if (head.method === 'HEAD') {
    res.cork(() => {
      writeHead(res, answer);
      res.endWithoutBody(0, true);
    });
    return null;
  }
  const body = new StreamedBody(res, () => writeHead(res, answer));
  body.open(answer.body as HttpStream);
  return body;
}

/** Holds what the client does not take, in order; uWebSockets.js itself would hold all of it and not say how much. */
export class StreamedBody implements HttpStreamClient {
  #events = NOBODY;
  #res: HttpResponse | null;
  /** Writes the head in front of the first piece; null: it is written. */
  #writeHead: (() => void) | null;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  /** Bytes of the piece that the client has not taken whole; 0: it takes more. */
  #blockedBytes = 0;
  #isEnding = false;
  #patience: NodeJS.Timeout | null = null;

  constructor(res: HttpResponse, writeHead: () => void) {
    this.#res = res;
    this.#writeHead = writeHead;
  }

  /** Once, right after it was made. */
  open(stream: HttpStream): void {
    this.#res!.onWritable(() => this.#resume());
    const events = stream(this);
    this.#events = events;
    const res = this.#res;
    // It has come to its end before anybody was there to be told.
    if (res === null) events.closed();
    else if (this.#writeHead !== null) res.cork(() => this.#takeHead());
  }

  write(piece: string | Uint8Array): void {
    if (this.#res === null || this.#isEnding) return;
    const bytes = typeof piece === 'string' ? Buffer.from(piece) : piece;
    // What a corked write has met is known by the write that follows it only, so a long piece ends with one of one byte.
    const end = bytes.length > PIECE_BYTES ? bytes.length - 1 : bytes.length;
    for (let at = 0; at < end; at += PIECE_BYTES) this.#put(bytes.subarray(at, Math.min(end, at + PIECE_BYTES)));
    if (end < bytes.length) this.#put(bytes.subarray(end));
  }

  bufferedBytes(): number {
    return this.#waitingBytes + this.#blockedBytes;
  }

  end(): void {
    if (this.#res === null || this.#isEnding) return;
    this.#isEnding = true;
    this.#stopWaiting();
    if (this.#blockedBytes === 0) this.#finish();
  }

  /** The client went away: `res` may not be touched any more. */
  aborted(): void {
    this.#close();
  }

  #put(piece: Uint8Array): void {
    if (this.#blockedBytes > 0) {
      this.#waiting.push(piece);
      this.#waitingBytes += piece.length;
    } else {
      this.#send(piece);
    }
  }

  #send(piece: Uint8Array): void {
    const res = this.#res!;
    res.cork(() => {
      this.#takeHead();
      if (!res.write(piece)) this.#blockedBytes = piece.length;
    });
    if (this.#blockedBytes === 0) this.#stopWaiting();
    else if (!this.#isEnding) this.#patience ??= setInterval(() => this.#beginTimeoutAnew(), PATIENCE_MS);
  }

  #takeHead(): void {
    this.#writeHead?.();
    this.#writeHead = null;
  }

  #resume(): boolean {
    this.#blockedBytes = 0;
    // With a handler for `writable`, uWebSockets.js sends what it holds itself only together with the next write; whether
    // all of it has left then is known by the next write, too.
    if (this.#waiting.length === 0) this.#offer();
    while (this.#blockedBytes === 0 && this.#waiting.length > 0) {
      const piece = this.#waiting.shift()!;
      this.#waitingBytes -= piece.length;
      this.#send(piece);
    }
    if (!this.#isEnding) this.#events.drained?.();
    else if (this.#blockedBytes === 0) this.#finish();
    return this.#blockedBytes === 0;
  }

  /** Together these two do nothing else. */
  #beginTimeoutAnew(): void {
    this.#res?.pause();
    this.#res?.resume();
  }

  /** An empty cork has uWebSockets.js send what it holds. */
  #offer(): void {
    this.#res?.cork(() => undefined);
  }

  #finish(): void {
    const res = this.#res;
    if (res === null) return;
    // Asked to close the connection, too, uWebSockets.js would write a header into the body.
    res.cork(() => {
      this.#takeHead();
      res.end();
    });
    this.#close();
  }

  #close(): void {
    if (this.#res === null) return;
    this.#res = null;
    this.#stopWaiting();
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#blockedBytes = 0;
    this.#events.closed();
  }

  #stopWaiting(): void {
    if (this.#patience !== null) clearInterval(this.#patience);
    this.#patience = null;
  }
}
