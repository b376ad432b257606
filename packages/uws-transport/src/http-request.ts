import type { HttpRequest } from '@ws-gateway/core';
import type { HttpRequest as UwsRequest, HttpResponse } from 'uWebSockets.js';
import { addressText } from './remote-address.js';
import { TransportError } from './transport-error.js';

/** Parts that can be read off a request before it is known which route it is for. */
export type RequestHead = Omit<HttpRequest, 'params' | 'body' | 'signal'> & {
  /** False: the answer is the connection's last one. */
  readonly keepAlive: boolean;
  /** More than one length: where the body ends depends on who reads it, so nothing of it may be believed. */
  readonly isAmbiguous: boolean;
};

/** Tells whether what this peer says by the PROXY protocol is believed. */
export type ProxyTrust = (peer: string) => boolean;

/** Repeated headers are joined, as RFC 9110 has it: proxies and clients do split X-Forwarded-For and protocols. */
export function copyHead(res: HttpResponse, req: UwsRequest, proxies: ProxyTrust | undefined): RequestHead {
  const headers = new Map<string, string>();
  let isAmbiguous = false;
  req.forEach((name, value) => {
    const before = headers.get(name);
    if (before !== undefined && name === 'content-length') isAmbiguous = true;
    headers.set(name, before === undefined ? value : `${before}, ${value}`);
  });
  return {
    method: req.getCaseSensitiveMethod(),
    path: req.getUrl(),
    // Not in the types: undefined without a '?'.
    query: (req.getQuery() as string | undefined) ?? '',
    header: (name) => headers.get(name) ?? '',
    remoteAddress: clientAddress(res, proxies),
    isAmbiguous,
    // uWebSockets.js takes a PROXY header before each request of a connection. The proxy sends one, at the beginning: a
    // later one is the client's own, and could say anything.
    keepAlive: proxies === undefined && !isAmbiguous,
  };
}

/** The peer's own address without a header: a health check of the proxy, or somebody who did not come through it. */
function clientAddress(res: HttpResponse, proxies: ProxyTrust | undefined): string {
  const peer = addressText(res.getRemoteAddress());
  const told = proxies?.(peer) === true ? addressText(res.getProxiedRemoteAddress()) : '';
  return told === '' ? peer : told;
}

/**
 * Collects a body, up to a limit. It must be made before the first await, whether anybody asks for the body or not:
 * uWebSockets.js throws away what arrives while there is no onData.
 */
export class BodyCollector {
  #chunks: Uint8Array[] = [];
  #bytes = 0;
  #outcome: Uint8Array | TransportError | null = null;
  #waiting: (() => void)[] = [];

  constructor(res: HttpResponse, bytesMax: number, onTooLarge: () => void) {
    res.onData((chunk, isLast) => {
      if (this.#outcome !== null) return;
      this.#bytes += chunk.byteLength;
      if (this.#bytes > bytesMax) {
        this.fail(new TransportError('body_too_large', `body over ${bytesMax} bytes`));
        onTooLarge();
        return;
      }
      // The chunk's memory is uWebSockets.js's and gone after this callback.
      this.#chunks.push(new Uint8Array(chunk.slice(0)));
      if (isLast) this.#settle(Buffer.concat(this.#chunks));
    });
  }

  async read(): Promise<Uint8Array> {
    if (this.#outcome === null) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    if (this.#outcome instanceof Uint8Array) return this.#outcome;
    throw this.#outcome;
  }

  fail(error: TransportError): void {
    if (this.#outcome === null) this.#settle(error);
  }

  #settle(outcome: Uint8Array | TransportError): void {
    this.#outcome = outcome;
    this.#chunks = [];
    for (const resume of this.#waiting) resume();
    this.#waiting = [];
  }
}
