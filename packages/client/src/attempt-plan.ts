import type { Transport } from './gateway-connection.js';
import { sseAddress } from './handshake.js';

export interface AttemptPlanOptions {
  readonly urls: readonly string[];
  readonly transports: readonly Transport[];
  /** Whether plain HTTP gets through to the gateway; never rejects. */
  readonly reachable: (healthUrl: string) => Promise<boolean>;
}

/** WebSockets must have failed so often before anything else is tried. */
const FAILURES_BEFORE_DOUBT = 3;

/**
 * What the next attempt is made with. Attempts that fail without a word may do so for a network that is away, and then
 * the same is to be tried again; only where plain HTTP got through meanwhile something else is tried: server-sent events,
 * as a proxy may cut WebSockets, and a handshake without positions, as the gateway may be unable to read them.
 */
export class AttemptPlan {
  transport: Transport;
  withPositions = true;
  /** Attempts in a row without `connected`. */
  failures = 0;
  readonly #options: AttemptPlanOptions;
  readonly #transports: Set<Transport>;
  #url = 0;
  #reachable: Promise<boolean> | null = null;
  #verifying = false;

  constructor(options: AttemptPlanOptions) {
    this.#options = options;
    this.#transports = new Set(options.transports);
    this.transport = this.#first;
  }

  get url(): string {
    return this.#options.urls[this.#url]!;
  }

  get sseUrl(): string | null {
    return this.#transports.has('sse') ? sseAddress(this.url) : null;
  }

  nextUrl(): void {
    this.#url = (this.#url + 1) % this.#options.urls.length;
  }

  /**
   * True: this attempt got through because it brought no positions, so it seems; the next one is to prove it. It is
   * worth a connection: positions given up for a network that came back just then would be messages lost for nothing.
   */
  connected(): boolean {
    this.failures = 0;
    this.#reachable = null;
    this.#verifying = !this.withPositions;
    this.withPositions = true;
    return this.#verifying;
  }

  /** True: the positions that it brought are what was wrong. */
  failed({ unexplained }: { unexplained: boolean }): boolean {
    const proven = this.#verifying && unexplained;
    this.#verifying = false;
    this.failures++;
    this.withPositions = true;
    // What got through once is begun with after a loss; when it fails, too, WebSockets have their turn again.
    this.transport = this.#first;
    return proven;
  }

  /** Nobody said why the attempt failed. `hasPositions`: some were sent. */
  async doubt(hasPositions: boolean): Promise<void> {
    const others = [...(this.sseUrl === null ? [] : ['sse']), ...(hasPositions ? ['no positions'] : [])];
    if (others.length === 0 || this.failures < FAILURES_BEFORE_DOUBT - 1) return;
    // Asked before the attempt that has just failed: what got through then was not that attempt.
    const reachable = this.#reachable;
    this.#reachable = this.#options.reachable(new URL('health', this.url.replace(/^ws/, 'http')).href);
    if (this.failures < FAILURES_BEFORE_DOUBT || (await reachable) !== true) return;
    const other = others[(this.failures - FAILURES_BEFORE_DOUBT) % (others.length + 1)];
    if (other === 'sse') this.transport = 'sse';
    if (other === 'no positions') this.withPositions = false;
  }

  /** This gateway has no server-sent events. */
  withoutSse(): void {
    this.#transports.delete('sse');
    this.transport = this.#first;
  }

  /** WebSockets may get through another network. */
  networkChanged(): void {
    this.transport = this.#first;
  }

  get #first(): Transport {
    return this.#transports.has('websocket') || this.sseUrl === null ? 'websocket' : 'sse';
  }
}
