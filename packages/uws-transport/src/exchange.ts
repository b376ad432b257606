import type { HttpAnswer } from '@ws-gateway/core';
import type { HttpResponse } from 'uWebSockets.js';
import { isWhole, writeAnswer } from './http-answer.js';
import type { RequestHead } from './http-request.js';
import { streamAnswer, type StreamedBody } from './http-stream.js';

/**
 * Called once for each request, refused and completed handshakes included (101), with 499 for a client that went away.
 * `route` is the route's pattern, the endpoint's first segment or `unknown`: never what the client made up.
 * What uWebSockets.js answers itself (400 and 431 for what is not HTTP or too long) is not seen here.
 */
export type RequestObserver = (method: string, route: string, status: number, seconds: number) => void;

interface ExchangeOptions {
  /** `unknown`, if it is none of ours. */
  readonly route: string;
  readonly observe?: RequestObserver | undefined;
  /** Time in ms that the client may take to receive an answer; then the connection is cut. */
  readonly writeTimeoutMs: number;
  /** The client went away before it had an answer. */
  readonly onAbort?: () => void;
}

type RequestLine = Pick<RequestHead, 'method' | 'keepAlive'>;

/** nginx's word for it; nothing is sent with this status. */
const CLIENT_WENT_AWAY = 499;

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/**
 * One request up to its answer. It knows whether `res` may still be touched: every method of `res` throws after an
 * abort and after an answer. Make it before the first await: uWebSockets.js ends the process when a handler returns
 * with neither an answer nor an abort handler.
 */
export class Exchange {
  readonly #head: RequestLine;
  readonly #options: ExchangeOptions;
  readonly #startedAt = performance.now();
  #res: HttpResponse | null;
  #writing: NodeJS.Timeout | undefined;
  #stream: StreamedBody | null = null;

  constructor(res: HttpResponse, head: RequestLine, options: ExchangeOptions) {
    this.#res = res;
    this.#head = head;
    this.#options = options;
    res.onAborted(() => {
      clearTimeout(this.#writing);
      this.#stream?.aborted();
      if (this.#res === null) return;
      this.#finish(CLIENT_WENT_AWAY);
      this.#options.onAbort?.();
    });
  }

  /** Does nothing when the client is gone or was answered. */
  answer(answer: HttpAnswer): void {
    const res = this.#res;
    if (res === null) return;
    this.#finish(answer.status);
    if (!isWhole(answer)) this.#stream = streamAnswer(res, answer, this.#head);
    else if (!writeAnswer(res, answer, this.#head)) this.#writeRest(res, Buffer.from(answer.body));
  }

  /** The client takes it in pieces. */
  #writeRest(res: HttpResponse, body: Uint8Array): void {
    this.#writing = setTimeout(() => res.close(), this.#options.writeTimeoutMs);
    res.onWritable((offset) => {
      const [, taken] = res.tryEnd(body.subarray(offset), body.length);
      if (taken) clearTimeout(this.#writing);
      return taken;
    });
  }

  /** The client is there and has no answer yet. */
  get isOpen(): boolean {
    return this.#res !== null;
  }

  /** Gives `res` away for the upgrade; only while it is open. */
  takeForUpgrade(): HttpResponse {
    const res = this.#res;
    if (res === null) throw new Error('upgrade: the request was answered, or its client is gone');
    this.#finish(101);
    return res;
  }

  #finish(status: number): void {
    this.#res = null;
    const { observe, route } = this.#options;
    const method = METHODS.has(this.#head.method) ? this.#head.method : 'OTHER';
    observe?.(method, route, status, (performance.now() - this.#startedAt) / 1000);
  }
}
