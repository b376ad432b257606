import { Backoff } from './backoff.js';
import { Connection, type ConnectionEnd } from './connection.js';
import { ClientError } from './errors.js';
import type { Closed, Disconnected, Reconnecting } from './events.js';
import { isConnected, isReconnect, type Connected, type Frame } from './frames.js';
import { handshake } from './handshake.js';
import type { ResolvedOptions } from './options.js';
import type { Positions } from './positions.js';
import { sleep, unlessAborted } from './time.js';
import { TokenSource } from './token-source.js';
import { judge } from './verdict.js';

export interface SessionHandlers {
  /** `behind`: go away and ask again. */
  connected(connected: Connected): 'welcome' | 'behind';
  frame(frame: Frame): void;
  /** The connection is gone; told before what comes next. */
  disconnected(end: Disconnected): void;
  reconnecting(next: Reconnecting): void;
  error(error: ClientError): void;
  /** The `authentication` command with a new token for the same user; rejects when that can't be had. */
  authenticate(token: string): Promise<unknown>;
}

interface SessionParts {
  readonly positions: Positions;
  /** Topics of the next handshake. */
  readonly topics: () => readonly string[];
}

/** A connection that stood for so long was a good one: the backoff begins anew. */
const STEADY_MS = 3_000;
/** What the gateway may ask us to wait at most: a slip of somebody's pen must not silence a client for days. */
const ASKED_MS_MAX = 3_600_000;
const RENEW_AGAIN_MS = 10_000;
/** A page can't see that a handshake failed for its token: after so many failures a new one is tried. */
const FAILURES_PER_TOKEN = 3;
/** "No code": closed by ourselves, to come back at once. */
const CODE_OURS = 1005;
const CODE_NORMAL = 1000;

/** One connection after the other, until one of the ends is final. Knows nothing of what the frames carry. */
export class Session {
  readonly #options: ResolvedOptions;
  readonly #parts: SessionParts;
  readonly #handlers: SessionHandlers;
  readonly #tokens: TokenSource;
  readonly #backoff: Backoff;
  readonly #closing = new AbortController();
  #connection: Connection | null = null;
  #timers: ReturnType<typeof setTimeout>[] = [];
  #url = 0;
  /** Attempts in a row without `connected`. */
  #failures = 0;
  /** A new token was refused already. */
  #tokenRetried = false;
  /** When to be back, as the gateway or we ourselves said; null: by the backoff. */
  #backAtMs: number | null = null;

  constructor(options: ResolvedOptions, parts: SessionParts, handlers: SessionHandlers) {
    this.#options = options;
    this.#parts = parts;
    this.#handlers = handlers;
    this.#tokens = new TokenSource(options.token, { timeoutMs: options.connectTimeoutMs });
    this.#backoff = new Backoff(options.backoff);
  }

  /** Resolves with the end of it all; never rejects. */
  async run(): Promise<Closed> {
    const { signal } = this.#closing;
    while (true) {
      let end: ConnectionEnd | null;
      try {
        end = await this.#connect();
      } catch (error) {
        return { why: 'failed', code: 0, reason: error instanceof Error ? error.message : String(error) };
      }
      if (end === null || signal.aborted) return { why: 'client', code: CODE_NORMAL, reason: '' };
      const delayMs = this.#next(end);
      if (typeof delayMs !== 'number') return delayMs;
      this.#handlers.reconnecting({ attempt: this.#failures, delayMs, code: end.code, reason: end.reason });
      await sleep(delayMs, signal);
    }
  }

  send(text: string): boolean {
    return this.#connection?.send(text) ?? false;
  }

  /** The other side is dead, though the socket does not know. */
  abandon(reason: string): void {
    this.#connection?.abandon(reason);
  }

  close(): void {
    this.#closing.abort();
    this.#connection?.close({ code: CODE_NORMAL, reason: 'client closed' });
  }

  /** One attempt, to its end. null: closed meanwhile. Rejects when the WebSocket class can't be used. */
  async #connect(): Promise<ConnectionEnd | null> {
    const { WebSocket, parse, connectTimeoutMs, tokenIn, urls } = this.#options;
    const { positions, topics } = this.#parts;
    const token = await this.#token();
    if (this.#closing.signal.aborted) return null;
    if (token === null) return { connected: false, code: 1006, reason: 'no token', refusal: null };
    const target = handshake(urls[this.#url]!, { token, tokenIn, topics: topics(), positions });
    return new Promise((resolve) => {
      const handlers = {
        frame: (frame: Frame) => this.#frame(frame),
        unreadable: () => this.#handlers.error(new ClientError('gateway_error', 'a frame that is not JSON came')),
        ended: (end: ConnectionEnd) => {
          this.#ended(end);
          resolve(end);
        },
      };
      this.#connection = new Connection(target, handlers, { WebSocket, parse, timeoutMs: connectTimeoutMs });
    });
  }

  /** null: there is none. Doesn't wait for a callback that is no longer needed. */
  async #token(): Promise<string | null> {
    try {
      return await unlessAborted(this.#tokens.get(), this.#closing.signal);
    } catch (error) {
      this.#handlers.error(error as ClientError);
      return null;
    }
  }

  #frame(frame: Frame): void {
    if (isConnected(frame)) this.#connected(frame.payload);
    else if (isReconnect(frame)) this.#sentAway(frame.payload.after_ms);
    else this.#handlers.frame(frame);
  }

  #connected(connected: Connected): void {
    this.#failures = 0;
    this.#tokenRetried = false;
    if (this.#handlers.connected(connected) === 'behind') {
      this.#backAtMs = performance.now();
      this.#leave('behind');
      return;
    }
    this.#after(STEADY_MS, () => {
      this.#backoff.reset();
      this.#parts.positions.settle();
    });
    this.#planRenewal();
  }

  #sentAway(afterMs: unknown): void {
    const waitMs = typeof afterMs === 'number' && afterMs > 0 ? Math.min(afterMs, ASKED_MS_MAX) : 0;
    this.#backAtMs = performance.now() + waitMs;
    // The gateway closes right after the frame. Should it not, we are to be elsewhere by then all the same.
    this.#after(waitMs, () => {
      this.#nextUrl();
      this.#leave('reconnect');
    });
  }

  #leave(reason: string): void {
    this.#connection?.close({ code: CODE_OURS, reason });
  }

  #ended(end: ConnectionEnd): void {
    this.#connection = null;
    for (const timer of this.#timers.splice(0)) clearTimeout(timer);
    if (end.connected) this.#handlers.disconnected({ code: end.code, reason: end.reason });
  }

  /** The delay before the next attempt, or the end. */
  #next(end: ConnectionEnd): number | Closed {
    const { code, reason, connected, refusal } = end;
    const verdict = judge(end);
    if (verdict.kind === 'stop') {
      return refusal === null ? { why: 'gateway', code, reason } : { why: 'refused', code: refusal.status, reason };
    }
    if (verdict.newToken && (!this.#tokens.renewable || this.#tokenRetried)) {
      return { why: 'token', code: refusal?.status ?? code, reason };
    }
    if (!connected) {
      this.#failures++;
      this.#handlers.error(new ClientError('connect_failed', `no connection: ${reason || code}`));
    }
    if (this.#failures >= this.#options.maxAttempts) return { why: 'attempts', code, reason };
    const suspect = !connected && refusal === null && this.#failures % FAILURES_PER_TOKEN === 0;
    if (verdict.newToken || suspect) this.#tokens.distrust();
    if (verdict.newToken) this.#tokenRetried = true;
    if (verdict.nextUrl) this.#nextUrl();
    return this.#delayMs(Math.min(verdict.leastMs, ASKED_MS_MAX));
  }

  #delayMs(leastMs: number): number {
    const backAtMs = this.#backAtMs;
    this.#backAtMs = null;
    return backAtMs === null ? leastMs + this.#backoff.next() : Math.max(0, Math.round(backAtMs - performance.now()));
  }

  #nextUrl(): void {
    this.#url = (this.#url + 1) % this.#options.urls.length;
  }

  #planRenewal(): void {
    const inMs = this.#tokens.renewInMs(this.#options.renewBeforeMs);
    if (inMs !== null) this.#after(inMs, () => void this.#renew());
  }

  /** Over the open connection if the gateway can do that, else by a new one. */
  async #renew(): Promise<void> {
    const connection = this.#connection;
    const { current } = this.#tokens;
    let token: string;
    try {
      token = await this.#tokens.renew();
    } catch (error) {
      this.#handlers.error(error as ClientError);
      if (connection === this.#connection) this.#after(RENEW_AGAIN_MS, () => void this.#renew());
      return;
    }
    if (connection === null || connection !== this.#connection) return;
    try {
      // A callback that still gives the old one is asked again later; 4010 comes if it never changes.
      if (token !== current) await this.#handlers.authenticate(token);
    } catch {
      // Whatever the reason: a new connection with this token either works, or says why it does not.
      if (connection !== this.#connection) return;
      this.#backAtMs = performance.now();
      this.#leave('new token');
      return;
    }
    if (connection === this.#connection) this.#planRenewal();
  }

  /** A timer that does not outlive the connection. */
  #after(ms: number, action: () => void): void {
    if (this.#connection !== null) this.#timers.push(setTimeout(action, ms));
  }
}
