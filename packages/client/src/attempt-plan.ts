import type { Transport } from './gateway-connection.js';
import { sseAddress } from './handshake.js';
import { reachable } from './time.js';

/** WebSockets must have failed so often before anything else is tried. */
const FAILURES_BEFORE_DOUBT = 3;

/**
 * Where and how the next attempt is made. Attempts that fail without a word may do so for a network that is away, and
 * then the same is to be tried again; only where plain HTTP got through meanwhile a proxy may be cutting WebSockets.
 */
export class AttemptPlan {
  transport: Transport;
  /** Attempts in a row without `connected`. */
  failures = 0;
  readonly #urls: readonly string[];
  readonly #transports: Set<Transport>;
  #url = 0;
  /** Plain HTTP got through while WebSockets failed. */
  #reachable = false;
  /** Server-sent events are what got through last. */
  #sseWorked = false;

  constructor(urls: readonly string[], transports: readonly Transport[]) {
    this.#urls = urls;
    this.#transports = new Set(transports);
    this.transport = this.#first;
  }

  get url(): string {
    return this.#urls[this.#url]!;
  }

  get sseUrl(): string | null {
    return this.#transports.has('sse') ? sseAddress(this.url) : null;
  }

  nextUrl(): void {
    this.#url = (this.#url + 1) % this.#urls.length;
  }

  /** Notes that an attempt got through: the next ones, after a loss, begin with its kind. */
  connected(): void {
    this.failures = 0;
    this.#sseWorked = this.transport === 'sse';
  }

  /** Server-sent events that fail leave the turn to WebSockets, and get it back at once if they were what worked. */
  failed(): void {
    this.failures++;
    this.transport = this.#sseWorked && this.transport !== 'sse' ? 'sse' : this.#first;
  }

  /** Notes that an attempt failed and nobody said why. */
  doubt(): void {
    if (this.sseUrl === null || this.failures < FAILURES_BEFORE_DOUBT - 1) return;
    // What got through before the attempt that has just failed was not that attempt.
    if (this.failures >= FAILURES_BEFORE_DOUBT && this.#reachable) this.transport = 'sse';
    this.#reachable = false;
    const health = new URL('health', this.url.replace(/^ws/, 'http'));
    void reachable(health.href).then((passed) => (this.#reachable = passed));
  }

  /** This gateway has no server-sent events. */
  withoutSse(): void {
    this.#transports.delete('sse');
  }

  /** WebSockets first: they may get through another network. */
  beginAnew(): void {
    this.transport = this.#first;
  }

  get #first(): Transport {
    return this.#transports.has('websocket') || this.sseUrl === null ? 'websocket' : 'sse';
  }
}
