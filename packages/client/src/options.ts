import { ClientError } from './errors.js';
import type { Transport } from './gateway-connection.js';
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
  /** Positions that `client.positions()` gave before, to resume there. */
  readonly positions?: SavedPositions;
  /** True, the default: connect at once. False: nothing happens before `client.connect()`. */
  readonly autoConnect?: boolean;
  /** Default: both. `sse` is taken where WebSockets fail again and again though plain HTTP gets through. */
  readonly transports?: readonly Transport[];
  /** Class of WebSockets; default: the global one. */
  readonly WebSocket?: WebSocketClass;
  /**
   * Place in which the token travels; default `protocol`, the header Sec-WebSocket-Protocol (over `sse`:
   * Authorization).
   */
  readonly tokenIn?: TokenPlace;
  /** Full jitter between 0 and min(capMs, baseMs · 2ⁿ); default 500 and 30,000. */
  readonly backoff?: { readonly baseMs?: number; readonly capMs?: number };
  /** Failed attempts in a row before the client gives up; default: never. */
  readonly maxAttempts?: number;
  /**
   * Time limit in ms from the start of an attempt to the `connected` frame, and for the token callback; default 10,000.
   */
  readonly connectTimeoutMs?: number;
  /** Time limit in ms of a request; default 10,000. */
  readonly requestTimeoutMs?: number;
  /** Time in ms before its `exp` at which a token is renewed, at most half of its life; default 30,000. */
  readonly renewBeforeMs?: number;
  /** Messages that wait in one iterator; default 1,000. */
  readonly bufferLimit?: number;
  /** Parser of frames; default JSON.parse, which rounds numbers beyond 2^53. */
  readonly parse?: (text: string) => unknown;
  /** Tells what the client does, a line each: to the console, or to a function. Never a token or a payload. */
  readonly debug?: boolean | ((line: string) => void);
}

/** Options with nothing left to default. */
export interface ResolvedOptions extends Required<Omit<ClientOptions, 'url' | 'WebSocket' | 'backoff' | 'debug'>> {
  readonly urls: readonly string[];
  /** Class of WebSockets; null: there is none here, and none is needed. */
  readonly WebSocket: WebSocketClass | null;
  readonly backoff: { readonly baseMs: number; readonly capMs: number };
  readonly debug: ((line: string) => void) | null;
}

/** Each says by itself what kind of value the option has. */
const DEFAULTS = {
  url: [] as string | readonly string[],
  token: '' as string | TokenCallback,
  topics: [] as readonly string[],
  positions: {} as SavedPositions,
  autoConnect: true,
  transports: ['websocket', 'sse'] as readonly Transport[],
  WebSocket: (() => undefined) as unknown as WebSocketClass,
  tokenIn: 'protocol' as TokenPlace,
  backoff: { baseMs: 500, capMs: 30_000 },
  maxAttempts: Infinity,
  connectTimeoutMs: 10_000,
  requestTimeoutMs: 10_000,
  renewBeforeMs: 30_000,
  bufferLimit: 1_000,
  parse: JSON.parse as (text: string) => unknown,
  debug: false as boolean | ((line: string) => void),
};
/** Types that an option may have besides that of its default. */
const ALSO: Readonly<Record<string, string>> = { url: 'string', token: 'function', debug: 'function' };
const CHARACTERS_SHOWN = 40;
/** A timer that is set for longer fires at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** Throws ClientError `bad_option`. */
export function resolveOptions(options: ClientOptions): ResolvedOptions {
  const { url, debug, ...rest } = merge(DEFAULTS, options);
  const { transports, tokenIn, topics } = rest;
  for (const transport of transports) oneOf('transports', DEFAULTS.transports, transport);
  oneOf('tokenIn', ['protocol', 'query'], tokenIn);
  const urls = [url].flat().map(address);
  if (urls.length === 0) throw bad('url', 'given', urls);
  if (transports.length === 0) throw bad('transports', 'given', transports);
  const WebSocket = options.WebSocket ?? globalWebSocket();
  if (WebSocket === null && transports.includes('websocket')) throw bad('WebSocket', 'given: there is none here', null);
  return {
    ...rest,
    urls,
    WebSocket,
    topics: [...new Set(topics)],
    backoff: merge(DEFAULTS.backoff, rest.backoff),
    // oxlint-disable-next-line no-console -- it is what `debug: true` asks for
    debug: debug === true ? (line) => console.debug(`ws-gateway: ${line}`) : debug || null,
  };
}

/** A misspelt name or a value of another kind would show later, as a silence that nobody can explain. */
function merge<Values extends Readonly<Record<string, unknown>>>(defaults: Values, options: object): Values {
  const merged: Record<string, unknown> = { ...defaults };
  for (const [name, value] of Object.entries(options)) {
    if (!Object.hasOwn(defaults, name)) throw bad(name, `one of ${Object.keys(defaults).join(', ')}`, name);
    if (value === undefined) continue;
    const kinds = [kindOf(defaults[name]), ...(ALSO[name] ? [ALSO[name]] : [])];
    // What was meant for a token is not repeated.
    if (!kinds.includes(kindOf(value)))
      throw bad(name, `a ${kinds.join(' or ')}`, name === 'token' ? typeof value : value);
    merged[name] = typeof value === 'number' && name.endsWith('Ms') ? Math.min(value, TIMER_MS_MAX) : value;
  }
  return merged as Values;
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return value.every((item) => item && typeof item === 'string') ? 'list of texts' : 'list';
  if (typeof value === 'number') return value > 0 ? 'number above 0' : 'number';
  return value === null ? 'null' : typeof value;
}

function oneOf(name: string, values: readonly string[], value: string): void {
  if (!values.includes(value)) throw bad(name, values.join(' or '), value);
}

function address(text: string): string {
  const { location } = globalThis as { location?: { href: string } };
  try {
    const url = new URL(text, location?.href);
    url.protocol = url.protocol.replace(/^http/, 'ws');
    url.hash = '';
    if (/^wss?:/.test(url.href)) return url.href;
  } catch {
    // The rule says enough.
  }
  throw bad('url', 'an address such as wss://host/ws', text);
}

function bad(name: string, rule: string, value: unknown): ClientError {
  const text = JSON.stringify(value) ?? String(value);
  return new ClientError('bad_option', `${name}: must be ${rule}, not ${text.slice(0, CHARACTERS_SHOWN)}`);
}
