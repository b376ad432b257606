/**
 * The part of a WebSocket that is used: the browsers', Node's global one and the `ws` package all have it.
 * See https://websockets.spec.whatwg.org.
 */
export type WebSocketClass = new (url: string, protocols: string[]) => WebSocketLike;

export interface WebSocketLike {
  send(data: string): void;
  close(code?: number, reason?: string): void;
}

/** The same, as it is used inside. Optional members are those of `ws`. */
export interface Socket extends WebSocketLike {
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void;
  addEventListener(type: 'close', listener: (event: { readonly code: number; readonly reason: string }) => void): void;
  addEventListener(type: 'error', listener: (event: { readonly message?: unknown }) => void): void;
  on?(event: 'unexpected-response', listener: (request: unknown, response: RefusalResponse) => void): unknown;
  terminate?(): void;
}

/** Node's http.IncomingMessage, as far as it is read. */
export interface RefusalResponse {
  readonly statusCode?: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  on(event: 'data', listener: (chunk: { toString(): string }) => void): unknown;
  on(event: 'end' | 'error' | 'close', listener: () => void): unknown;
}

/** Returns the global class; null: this environment has none, and one must be given. */
export function globalWebSocket(): WebSocketClass | null {
  const { WebSocket } = globalThis as { WebSocket?: WebSocketClass };
  return WebSocket ?? null;
}
