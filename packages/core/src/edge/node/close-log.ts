import { closeCodes } from '../../close-codes.js';
import type { Logger } from '../../logger.js';
import type { Connection } from '../delivery/connection.js';

/** Closes that a client complains about: its operator must find each by its user. */
const TOLD: ReadonlySet<number> = new Set([
  closeCodes.slow_consumer,
  closeCodes.resync,
  closeCodes.too_many_errors,
  closeCodes.rate_limited,
]);
const WINDOW_MS = 60_000;
/** Lines in one window; when a whole node closes its sockets the rest is one number. */
const LINES_MAX = 200;

/** Tells of closes that the gateway forced. */
export class CloseLog {
  readonly #logger: Logger;
  readonly #now: () => number;
  #windowMs = 0;
  #lines = 0;

  constructor(logger: Logger, now = () => performance.now()) {
    this.#logger = logger;
    this.#now = now;
  }

  closed(connection: Connection, code: number): void {
    if (connection.closing === null || !TOLD.has(code)) return;
    const nowMs = this.#now();
    if (nowMs - this.#windowMs >= WINDOW_MS) {
      if (this.#lines > LINES_MAX) this.#logger.info('more connections closed', { count: this.#lines - LINES_MAX });
      this.#windowMs = nowMs;
      this.#lines = 0;
    }
    if (++this.#lines > LINES_MAX) return;
    const { user, id } = connection;
    const { reason, topic } = connection.closing;
    this.#logger.info('connection closed', { code, reason, user, connection: id, ...(topic && { topic }) });
  }
}
