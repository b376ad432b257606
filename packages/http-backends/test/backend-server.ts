import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { BackendRequest } from '@ws-gateway/core';

export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** A real backend on loopback: keeps what it was asked and answers as the test says. */
export class BackendServer {
  readonly seen: SeenRequest[] = [];
  answer: (response: ServerResponse, request: SeenRequest) => void = (response) => response.end('{"ok":true}');
  url = '';
  #waiting: (() => void)[] = [];
  readonly #http = createServer((incoming, response) => void this.#receive(incoming, response));

  async start(): Promise<this> {
    this.#http.listen(0, '127.0.0.1');
    await once(this.#http, 'listening');
    this.url = `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}`;
    return this;
  }

  get last(): SeenRequest | undefined {
    return this.seen.at(-1);
  }

  /** Resolves once so many requests have come in. */
  async arrived(count: number): Promise<void> {
    while (this.seen.length < count) await new Promise<void>((go) => this.#waiting.push(go));
  }

  async stop(): Promise<void> {
    this.#http.closeAllConnections();
    this.#http.close();
    await once(this.#http, 'close');
  }

  async #receive(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = '';
    for await (const chunk of incoming) body += String(chunk);
    const { method = '', url = '', headers } = incoming;
    const request = { method, url, headers, body };
    this.seen.push(request);
    for (const go of this.#waiting.splice(0)) go();
    this.answer(response, request);
  }
}

/** A request as the edge makes it from a client's frame. */
export function clientRequest(
  optionsText: string | object,
  request: Partial<Omit<BackendRequest, 'options' | 'optionsText'>> = {},
): BackendRequest {
  const text = typeof optionsText === 'string' ? optionsText : JSON.stringify(optionsText);
  const options: unknown = JSON.parse(text);
  return { endpoint: '/mobile', options, optionsText: text, authorization: 'Bearer abc', user: 'u1', ...request };
}

export function codeOf(outcome: { readonly payload: unknown }): unknown {
  const { payload } = outcome;
  return typeof payload === 'object' && payload !== null && 'code' in payload ? payload.code : undefined;
}
