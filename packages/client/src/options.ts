import { ClientError } from './errors.js';
import type { TokenPlace } from './handshake.js';
import type { SavedPositions } from './positions.js';
import { globalWebSocket, type WebSocketClass } from './socket.js';
import type { TokenCallback } from './token-source.js';

export interface ClientOptions {
  /** `wss://host/ws`, or some of them: after a failed attempt the next one is tried. In a page it may be relative. */
  readonly url: string | readonly string[];
  /** A JWT, or what gets one; with a callback tokens are renewed. Absent: a guest. */
  readonly token?: string | TokenCallback;
  readonly topics?: readonly string[];
  /** What `client.positions()` gave before, to go on from there. */
  readonly positions?: SavedPositions;
  /** Default: the global one. With the `ws` package refusals can be told apart, see the README. */
  readonly WebSocket?: WebSocketClass;
  /** Where the token travels; default `protocol`, the Sec-WebSocket-Protocol header. */
  readonly tokenIn?: TokenPlace;
  /** Full jitter between 0 and min(capMs, baseMs · 2ⁿ); default 500 and 30,000. */
  readonly backoff?: { readonly baseMs?: number; readonly capMs?: number };
  /** Failed attempts in a row before the client gives up; default: never. */
  readonly maxAttempts?: number;
  /** From the start of an attempt to the `connected` frame, and for the token callback; default 10,000. */
  readonly connectTimeoutMs?: number;
  /** Default 10,000. */
  readonly requestTimeoutMs?: number;
  /** How long before its `exp` a token is renewed, at most half of its life; default 30,000. */
  readonly renewBeforeMs?: number;
  /** Messages that wait in one iterator; default 1,000. */
  readonly bufferLimit?: number;
  /** Default JSON.parse, which rounds numbers beyond 2^53. */
  readonly parse?: (text: string) => unknown;
}

/** Nothing left to default. */
export interface ResolvedOptions {
  readonly urls: readonly string[];
  readonly token: string | TokenCallback;
  readonly topics: readonly string[];
  readonly positions: SavedPositions;
  readonly WebSocket: WebSocketClass;
  readonly tokenIn: TokenPlace;
  readonly backoff: { readonly baseMs: number; readonly capMs: number };
  readonly maxAttempts: number;
  readonly connectTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly renewBeforeMs: number;
  readonly bufferLimit: number;
  readonly parse: (text: string) => unknown;
}

/** Throws ClientError `bad_option`. */
export function resolveOptions(options: ClientOptions): ResolvedOptions {
  const WebSocket = options.WebSocket ?? globalWebSocket();
  if (WebSocket === null) throw bad('WebSocket: there is no global one here; give a class');
  const urls = [options.url].flat().map(address);
  if (urls.length === 0) throw bad('url: at least one is needed');
  return {
    urls,
    WebSocket,
    token: options.token ?? '',
    topics: [...new Set(options.topics)],
    positions: options.positions ?? {},
    tokenIn: options.tokenIn ?? 'protocol',
    backoff: {
      baseMs: duration('backoff.baseMs', options.backoff?.baseMs ?? 500),
      capMs: duration('backoff.capMs', options.backoff?.capMs ?? 30_000),
    },
    maxAttempts: positive('maxAttempts', options.maxAttempts ?? Infinity),
    connectTimeoutMs: duration('connectTimeoutMs', options.connectTimeoutMs ?? 10_000),
    requestTimeoutMs: duration('requestTimeoutMs', options.requestTimeoutMs ?? 10_000),
    renewBeforeMs: duration('renewBeforeMs', options.renewBeforeMs ?? 30_000),
    bufferLimit: positive('bufferLimit', options.bufferLimit ?? 1_000),
    parse: options.parse ?? JSON.parse,
  };
}

function address(text: string): string {
  const { location } = globalThis as { location?: { href: string } };
  let url: URL;
  try {
    url = new URL(text, location?.href);
  } catch (error) {
    throw bad(`url: ${text} is not one`, error);
  }
  url.protocol = url.protocol.replace(/^http/, 'ws');
  url.hash = '';
  if (url.protocol !== 'ws:' && url.protocol !== 'wss:') throw bad(`url: ${text} is neither ws nor wss`);
  return url.href;
}

/** A timer that is set for longer fires at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

function duration(name: string, ms: number): number {
  return Math.min(positive(name, ms), TIMER_MS_MAX);
}

function positive(name: string, value: number): number {
  if (typeof value !== 'number' || !(value > 0)) throw bad(`${name}: must be above 0`);
  return value;
}

function bad(message: string, cause?: unknown): ClientError {
  return new ClientError('bad_option', message, cause);
}
