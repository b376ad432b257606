import { AttemptPlan } from './attempt-plan.js';
import { ClientError } from './errors.js';
import type { Closed, Disconnected, Reconnecting } from './events.js';
import { isNotice, type Connected, type Frame } from './frames.js';
import {
  CODE_ABNORMAL,
  CODE_NORMAL,
  type ConnectionEnd,
  type ConnectionHandlers,
  type GatewayConnection,
  type Transport,
} from './gateway-connection.js';
import { handshakeTo, recoverOf, type HandshakeOptions } from './handshake.js';
import type { ResolvedOptions } from './options.js';
import type { Position, Positions } from './positions.js';
import { ReconnectBackoff } from './reconnect-backoff.js';
import type { Refused, Remedy } from './refusal.js';
import { SseConnection } from './sse-connection.js';
import { sleep, unlessAborted } from './time.js';
import { TokenSource } from './token-source.js';
import { judge } from './verdict.js';
import { WebSocketConnection } from './websocket-connection.js';

export interface ReconnectLoopHandlers {
  /** `behind`: go away and ask again. */
  connected(connected: Connected): 'welcome' | 'behind';
  frame(frame: Frame): void;
  /** Something came that is no frame. */
  heard(): void;
  /** The connection is gone; told before what comes next. */
  disconnected(end: Disconnected): void;
  /**
   * Takes a refusal; true: it was for what was asked for in vain, which is dropped, so the next attempt may succeed.
   */
  refused(refused: Refused, transport: Transport): boolean;
  /** The gateway cannot read the positions of these topics. */
  positionsRefused(topics: readonly string[]): void;
  reconnecting(next: Reconnecting): void;
  error(error: ClientError): void;
  /** The `authentication` command with a new token for the same user; rejects when that cannot be had. */
  authenticate(token: string): Promise<unknown>;
}

interface ReconnectLoopParts {
  readonly positions: Positions;
  /** Topics of the next handshake. */
  readonly topics: (transport: Transport) => readonly string[];
  readonly wished: (topic: string) => Position | null;
}

/** A connection that stood for so long was a good one: the backoff begins anew. */
const STEADY_MS = 3_000;
/**
 * Time in ms that the gateway may ask us to wait at most: a slip of somebody's pen must not silence a client for days.
 */
const ASKED_MS_MAX = 3_600_000;
/** Who loses a node is one of very many; the first attempts are spread over this unless the gateway says otherwise. */
const SPREAD_MS = 2_000;
const RENEW_AGAIN_MS = 10_000;
/** A page may not see that a handshake failed for its token: after so many failures a new one is tried. */
const FAILURES_PER_TOKEN = 3;
/** Status of a missing token, also of a proxy that looks at tokens: a new one does no harm. */
const STATUS_UNAUTHORIZED = 401;
/** Fresh tokens that a gateway refuses may be good: it has yet to learn the key they are signed with. */
const TOKEN_PATIENCE_MS = 60_000;
/** "No code": closed by ourselves, to come back at once. */
const CODE_OURS = 1005;

/** One connection after the other, until one of the ends is final. Knows nothing of what the frames carry. */
export class ReconnectLoop {
  readonly #options: ResolvedOptions;
  readonly #parts: ReconnectLoopParts;
  readonly #handlers: ReconnectLoopHandlers;
  readonly #tokens: TokenSource;
  readonly #backoff: ReconnectBackoff;
  readonly #plan: AttemptPlan;
  readonly #closing = new AbortController();
  #waiting = new AbortController();
  #connection: GatewayConnection | null = null;
  /** Things that the attempt which is under way, or was the last one, has asked for. */
  #asked: HandshakeOptions | null = null;
  #timers: ReturnType<typeof setTimeout>[] = [];
  /** Since when the gateway refuses tokens; null: it does not. */
  #tokenRefusedAtMs: number | null = null;
  #spreadMs: number | null = null;
  /** Time to be back, as the gateway or the client itself said; null: the backoff decides. */
  #backAtMs: number | null = null;

  /** Throws ClientError `bad_token`. */
  constructor(options: ResolvedOptions, parts: ReconnectLoopParts, handlers: ReconnectLoopHandlers) {
    const { token, connectTimeoutMs, urls, transports } = options;
    this.#options = options;
    this.#parts = parts;
    this.#handlers = handlers;
    this.#tokens = new TokenSource(token, { timeoutMs: connectTimeoutMs });
    this.#backoff = new ReconnectBackoff(options.backoff);
    this.#plan = new AttemptPlan(urls, transports);
  }

  /** Transport of the connection that stands; null: there is none. */
  get transport(): Transport | null {
    return this.#connection?.isConnected ? this.#connection.transport : null;
  }

  /** Resolves with the end of it all; never rejects. */
  async run(): Promise<Closed> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      let end: ConnectionEnd | null;
      try {
        end = await this.#connect();
      } catch (error) {
        return { why: 'failed', code: 0, reason: error instanceof Error ? error.message : String(error) };
      }
      if (end === null || signal.aborted) break;
      const next = this.#next(end);
      if (!('delayMs' in next)) return next;
      const { delayMs } = next;
      this.#handlers.reconnecting({ attempt: this.#plan.failures, delayMs, code: end.code, reason: end.reason });
      await this.#wait(next);
    }
    return { why: 'client', code: CODE_NORMAL, reason: '' };
  }

  send(text: string): boolean {
    return this.#connection?.send(text) ?? false;
  }

  /** The other side is dead, though the socket does not know. */
  abandon(reason: string): void {
    this.#connection?.abandon(reason);
  }

  /** Makes the attempt that is waited for now; through another network also the one that is under way. */
  hurry(networkChanged: boolean): void {
    this.#backoff.reset();
    this.#waiting.abort();
    if (!networkChanged) return;
    this.#plan.beginAnew();
    if (this.#connection === null || this.#connection.isConnected) return;
    this.#backAtMs = performance.now();
    this.#connection.abandon('another network');
  }

  /** Comes back at once by another connection. */
  reconnect(reason: string): void {
    this.#waiting.abort();
    if (!this.#connection?.isConnected) return;
    this.#backAtMs = performance.now();
    this.#leave(reason);
  }

  close(): void {
    this.#closing.abort();
    this.#waiting.abort();
    this.#connection?.close(CODE_NORMAL, 'client closed');
  }

  /** Makes one attempt, to its end. null: closed meanwhile. Rejects when the WebSocket class cannot be used. */
  async #connect(): Promise<ConnectionEnd | null> {
    const { tokenIn } = this.#options;
    const { positions, topics, wished } = this.#parts;
    this.#asked = null;
    const token = await this.#token();
    if (this.#closing.signal.aborted) return null;
    if (token === null) return NO_TOKEN;
    this.#asked = { token, tokenIn, topics: topics(this.#plan.transport), positions, wished };
    return new Promise((resolve) => {
      this.#connection = this.#open({
        frame: (frame) => this.#frame(frame),
        heard: () => this.#handlers.heard(),
        unreadable: () => this.#handlers.error(new ClientError('gateway_error', 'a frame is not JSON')),
        ended: (end) => {
          this.#ended(end);
          resolve(end);
        },
      });
    });
  }

  #open(handlers: ConnectionHandlers): GatewayConnection {
    const { parse, connectTimeoutMs, debug } = this.#options;
    const { transport, url, sseUrl } = this.#plan;
    const options = { parse, timeoutMs: connectTimeoutMs };
    debug?.(`connecting to ${url} (${transport})`);
    if (transport === 'sse' && sseUrl !== null) {
      return new SseConnection(handshakeTo(sseUrl, this.#asked!), handlers, options);
    }
    const WebSocket = this.#options.WebSocket!;
    return new WebSocketConnection(handshakeTo(url, this.#asked!), handlers, { ...options, WebSocket });
  }

  /** Asks for the token; null: there is none. It does not wait for a callback that is no longer needed. */
  async #token(): Promise<string | null> {
    try {
      return await unlessAborted(this.#tokens.get(), this.#closing.signal);
    } catch (error) {
      this.#handlers.error(error as ClientError);
      return null;
    }
  }

  #frame(frame: Frame): void {
    if (isNotice(frame, 'connected')) this.#connected(frame.payload);
    else if (isNotice(frame, 'reconnect')) this.#sentAway(frame.payload.after_ms);
    else this.#handlers.frame(frame);
  }

  #connected(connected: Connected): void {
    const { reconnect_spread_ms: spreadMs } = connected;
    this.#spreadMs = typeof spreadMs === 'number' && spreadMs >= 0 ? Math.min(spreadMs, ASKED_MS_MAX) : null;
    this.#tokenRefusedAtMs = null;
    this.#plan.connected();
    if (this.#handlers.connected(connected) === 'behind') {
      this.reconnect('behind');
      return;
    }
    this.#after(STEADY_MS, () => {
      this.#backoff.reset();
      this.#parts.positions.settle();
    });
    this.#planRenewal();
  }

  #sentAway(afterMs: unknown): void {
    const waitMs = askedMs(typeof afterMs === 'number' ? afterMs : 0);
    this.#backAtMs = performance.now() + waitMs;
    // The gateway closes right after the frame. Should it not, we are to be elsewhere by then all the same.
    this.#after(waitMs, () => {
      this.#plan.nextUrl();
      this.#leave('reconnect');
    });
  }

  #leave(reason: string): void {
    this.#connection?.close(CODE_OURS, reason);
  }

  #ended({ connected, code, reason, afterMs }: ConnectionEnd): void {
    this.#connection = null;
    for (const timer of this.#timers.splice(0)) clearTimeout(timer);
    if (!connected) return;
    if (afterMs !== null) this.#backAtMs = performance.now() + askedMs(afterMs);
    this.#handlers.disconnected({ code, reason });
  }

  /** Decides when to try again, or that it is the end. */
  #next(end: ConnectionEnd): Delay | Closed {
    const { connected, code, reason, refused, afterMs } = end;
    const { remedy: asJudged, nextUrl, crowd, unexplained } = judge(end);
    const asked = this.#asked;
    const hadPositions = asked !== null && recoverOf(asked) !== '';
    const remedy = this.#remedy(asJudged, refused);
    if (!connected) this.#plan.failed();
    if (hadPositions && remedy === 'positions') this.#handlers.positionsRefused(asked.topics);
    const closed = (why: Closed['why']): Closed => ({
      why,
      code: refused !== null && code === CODE_ABNORMAL ? refused.http : code,
      reason,
      ...(refused?.code && { refusal: refused }),
    });
    if (remedy === 'stop' || (remedy === 'positions' && !hadPositions)) return closed(refused ? 'refused' : 'gateway');
    if (remedy === 'token' && !this.#newTokenMayDo()) return closed('token');
    if (!connected) this.#handlers.error(new ClientError('connect_failed', `no connection: ${reason || code}`));
    if (this.#plan.failures >= this.#options.maxAttempts) return closed('attempts');
    const suspect = this.#plan.failures % FAILURES_PER_TOKEN === 0 || refused?.http === STATUS_UNAUTHORIZED;
    if (remedy === 'token' || (unexplained && suspect)) this.#tokens.distrust();
    if (nextUrl) this.#plan.nextUrl();
    if (unexplained && asked !== null) this.#plan.doubt();
    return this.#delay(connected ? 0 : askedMs(afterMs ?? 0), crowd);
  }

  /** The verdict's, unless what was refused is not the client itself. */
  #remedy(remedy: Remedy, refused: Refused | null): Remedy {
    if (!refused?.code) return remedy;
    const { transport } = this.#plan;
    if (transport === 'sse' && refused.code === 'unknown_endpoint') this.#plan.withoutSse();
    else if (this.#handlers.refused(refused, transport)) this.#backAtMs = performance.now();
    else return remedy;
    return 'later';
  }

  /** The gateway refused the token, or it expired. */
  #newTokenMayDo(): boolean {
    this.#tokenRefusedAtMs ??= performance.now();
    return this.#tokens.renewable && performance.now() - this.#tokenRefusedAtMs < TOKEN_PATIENCE_MS;
  }

  #delay(leastMs: number, crowd: boolean): Delay {
    const backAtMs = this.#backAtMs;
    this.#backAtMs = null;
    if (backAtMs !== null) {
      const delayMs = Math.max(0, Math.round(backAtMs - performance.now()));
      return { delayMs, leastMs: delayMs };
    }
    const spreadMs = this.#spreadMs ?? Math.min(SPREAD_MS, this.#options.backoff.capMs);
    return { delayMs: leastMs + this.#backoff.next(crowd ? spreadMs : 0), leastMs };
  }

  /** Cut short by `hurry` as far as the gateway has not asked for it. */
  async #wait({ delayMs, leastMs }: Delay): Promise<void> {
    const untilMs = performance.now() + leastMs;
    this.#waiting = new AbortController();
    await sleep(delayMs, this.#waiting.signal);
    await sleep(untilMs - performance.now(), this.#closing.signal);
  }

  #planRenewal(): void {
    const inMs = this.#tokens.renewInMs(this.#options.renewBeforeMs);
    if (inMs !== null) this.#after(inMs, () => void this.#renew());
  }

  /** Renews the token over the open connection if the gateway can do that, else by a new connection. */
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
      if (connection === this.#connection) this.reconnect('new token');
      return;
    }
    if (connection === this.#connection) this.#planRenewal();
  }

  /** A timer that does not outlive the connection. */
  #after(ms: number, action: () => void): void {
    if (this.#connection !== null) this.#timers.push(setTimeout(action, ms));
  }
}

interface Delay {
  readonly delayMs: number;
  /** The part of it that the gateway asked for. */
  readonly leastMs: number;
}

const NO_TOKEN: ConnectionEnd = {
  connected: false,
  code: CODE_ABNORMAL,
  reason: 'no token',
  refused: null,
  afterMs: null,
};

function askedMs(ms: number): number {
  return ms > 0 ? Math.min(ms, ASKED_MS_MAX) : 0;
}
