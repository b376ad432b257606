import { ClientError } from './errors.js';
import { isRecord } from './frames.js';
import type { Transport } from './gateway-connection.js';
import { sseAddress, type TokenPlace } from './handshake.js';
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
  /** Default: true. False: nothing happens before `client.connect()`. */
  readonly autoConnect?: boolean;
  /** Default: both. `sse` is taken where WebSockets fail again and again though plain HTTP gets through. */
  readonly transports?: readonly Transport[];
  /** Default: the global one. */
  readonly WebSocket?: WebSocketClass;
  /** Where the token travels; default `protocol`, the header Sec-WebSocket-Protocol (over `sse`: Authorization). */
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
  /** Tells what the client does, a line each: to the console, or to a function. Never a token or a payload. */
  readonly debug?: boolean | ((line: string) => void);
}

/** Nothing left to default. */
export interface ResolvedOptions {
  readonly urls: readonly string[];
  readonly token: string | TokenCallback;
  readonly topics: readonly string[];
  readonly positions: SavedPositions;
  readonly autoConnect: boolean;
  readonly transports: readonly Transport[];
  /** null: there is none here, and none is needed. */
  readonly WebSocket: WebSocketClass | null;
  readonly tokenIn: TokenPlace;
  readonly backoff: { readonly baseMs: number; readonly capMs: number };
  readonly maxAttempts: number;
  readonly connectTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly renewBeforeMs: number;
  readonly bufferLimit: number;
  readonly parse: (text: string) => unknown;
  readonly debug: ((line: string) => void) | null;
}

/** What a value may be; names read on after "must be". */
const KINDS: Readonly<Record<string, (value: unknown) => boolean>> = {
  'a text': (value) => typeof value === 'string',
  'a list of texts': (value) => Array.isArray(value) && value.every((item) => typeof item === 'string' && item !== ''),
  'a function': (value) => typeof value === 'function',
  'a number above 0': (value) => typeof value === 'number' && value > 0,
  'true or false': (value) => typeof value === 'boolean',
  'an object': isRecord,
  '"protocol" or "query"': (value) => value === 'protocol' || value === 'query',
  'a list of "websocket" and "sse"': (value) =>
    Array.isArray(value) && value.length > 0 && value.every((item) => item === 'websocket' || item === 'sse'),
};

const EXPECTED: Readonly<Record<keyof ClientOptions, readonly string[]>> = {
  url: ['a text', 'a list of texts'],
  token: ['a text', 'a function'],
  topics: ['a list of texts'],
  positions: ['an object'],
  autoConnect: ['true or false'],
  transports: ['a list of "websocket" and "sse"'],
  WebSocket: ['a function'],
  tokenIn: ['"protocol" or "query"'],
  backoff: ['an object'],
  maxAttempts: ['a number above 0'],
  connectTimeoutMs: ['a number above 0'],
  requestTimeoutMs: ['a number above 0'],
  renewBeforeMs: ['a number above 0'],
  bufferLimit: ['a number above 0'],
  parse: ['a function'],
  debug: ['true or false', 'a function'],
};
const EXPECTED_OF_BACKOFF = { baseMs: ['a number above 0'], capMs: ['a number above 0'] };
const CHARACTERS_SHOWN = 40;
/** A timer that is set for longer fires at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** Throws ClientError `bad_option`. */
export function resolveOptions(options: ClientOptions): ResolvedOptions {
  check('', EXPECTED, options);
  check('backoff.', EXPECTED_OF_BACKOFF, options.backoff ?? {});
  const urls = [options.url].flat().map(address);
  if (urls.length === 0) throw bad('url: at least one is needed');
  const transports = options.transports ?? (['websocket', 'sse'] as const);
  const WebSocket = options.WebSocket ?? globalWebSocket();
  if (transports.includes('websocket')) {
    if (WebSocket === null) throw bad('WebSocket: there is no global one here; give a class');
  } else {
    const other = urls.find((url) => sseAddress(url) === null);
    if (other !== undefined) throw bad(`url: server-sent events are beside …/ws, not at ${other}`);
  }
  return {
    urls,
    transports,
    WebSocket,
    token: options.token ?? '',
    topics: [...new Set(options.topics)],
    positions: options.positions ?? {},
    autoConnect: options.autoConnect ?? true,
    tokenIn: options.tokenIn ?? 'protocol',
    backoff: { baseMs: timer(options.backoff?.baseMs, 500), capMs: timer(options.backoff?.capMs, 30_000) },
    maxAttempts: options.maxAttempts ?? Infinity,
    connectTimeoutMs: timer(options.connectTimeoutMs, 10_000),
    requestTimeoutMs: timer(options.requestTimeoutMs, 10_000),
    renewBeforeMs: timer(options.renewBeforeMs, 30_000),
    bufferLimit: options.bufferLimit ?? 1_000,
    parse: options.parse ?? JSON.parse,
    debug: debugLine(options.debug ?? false),
  };
}

/** A misspelt name or a value of another kind would show later, as a silence that nobody can explain. */
function check(prefix: string, expected: Readonly<Record<string, readonly string[]>>, options: unknown): void {
  if (!isRecord(options)) throw bad(`options: must be an object, not ${shown(options)}`);
  for (const [name, value] of Object.entries(options)) {
    const kinds = Object.hasOwn(expected, name) ? expected[name]! : null;
    if (kinds === null) {
      throw bad(`${prefix}${name}: there is no such option; there are ${Object.keys(expected).join(', ')}`);
    }
    if (value !== undefined && !kinds.some((kind) => KINDS[kind]!(value))) {
      // What was meant for a token is not repeated.
      throw bad(`${prefix}${name}: must be ${kinds.join(' or ')}${name === 'token' ? '' : `, not ${shown(value)}`}`);
    }
  }
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? String(value)).slice(0, CHARACTERS_SHOWN);
}

function address(text: string | undefined): string {
  const { location } = globalThis as { location?: { href: string } };
  let url: URL;
  try {
    if (text === undefined) throw new TypeError('it is missing');
    url = new URL(text, location?.href);
  } catch (error) {
    throw bad(`url: must be an address such as wss://host/ws, not ${text}`, error);
  }
  url.protocol = url.protocol.replace(/^http/, 'ws');
  url.hash = '';
  if (url.protocol !== 'ws:' && url.protocol !== 'wss:')
    throw bad(`url: must begin with ws: or wss:, not ${url.protocol}`);
  return url.href;
}

function timer(ms: number | undefined, defaultMs: number): number {
  return Math.min(ms ?? defaultMs, TIMER_MS_MAX);
}

function debugLine(debug: boolean | ((line: string) => void)): ((line: string) => void) | null {
  if (typeof debug === 'function') return debug;
  // oxlint-disable-next-line no-console -- it is what `debug: true` asks for
  return debug ? (line) => console.debug(`ws-gateway: ${line}`) : null;
}

function bad(message: string, cause?: unknown): ClientError {
  return new ClientError('bad_option', message, cause);
}
