import type { Logger } from '../../logger.js';
import type { EdgeStats } from '../../stats.js';
import { nothingTraced, type Tracing } from '../../trace/tracing.js';

const WINDOW_MS = 60_000;
/** Pairs of code and address that are told in one window; behind a storm of addresses the counts say enough. */
const TOLD_MAX = 1000;

interface RefusedHandshake {
  readonly code: string;
  readonly message: string;
  /** null: it was not known who it is. */
  readonly user: string | null;
  /** Who it says to be, where nobody knows who it is and somebody traces: not verified. */
  readonly claims?: readonly string[];
}

/** Counts handshakes that were refused, and tells of the first one of each code and address in a minute. */
export class RefusalLog {
  readonly #stats: EdgeStats;
  readonly #logger: Logger;
  readonly #tracing: Tracing;
  readonly #now: () => number;
  readonly #told = new Set<string>();
  #windowMs = 0;

  constructor(
    deps: { readonly stats: EdgeStats; readonly logger: Logger; readonly tracing?: Tracing },
    now = () => performance.now(),
  ) {
    this.#stats = deps.stats;
    this.#tracing = deps.tracing ?? nothingTraced;
    this.#logger = deps.logger;
    this.#now = now;
  }

  refused({ code, message, user, claims = [] }: RefusedHandshake, address: string): void {
    this.#stats.refusals.add(code);
    this.#tracing.tracer?.refused(user === null ? claims : [user], { code, message, address });
    if (!this.#isFirst(`${code} ${address}`)) return;
    this.#logger.warn('handshake refused', { code, address, ...(user === null ? {} : { user }), reason: message });
  }

  #isFirst(what: string): boolean {
    const nowMs = this.#now();
    if (nowMs - this.#windowMs >= WINDOW_MS) {
      this.#windowMs = nowMs;
      this.#told.clear();
    }
    if (this.#told.size >= TOLD_MAX || this.#told.has(what)) return false;
    this.#told.add(what);
    return true;
  }
}
