import type { BackendRequestStats } from '@ws-gateway/core';

/** The gateway asks too much already: the answer is `busy`. */
export class NoPlaceError extends Error {
  override readonly name = 'NoPlaceError';
}

interface Waiter {
  readonly untilMs: number;
  readonly go: () => void;
  readonly refuse: (error: NoPlaceError) => void;
}

/**
 * At most `size` calls at once, at most `queueSize` waiting. Each backend waits in a line of its own; the lines are
 * served in turn, and when there is no room left the longest line gives way, so a dead backend can't take all places in
 * the queue from the others. Who waits longer than its own timeout is refused when its turn comes.
 */
export class RequestPlaces {
  readonly #size: number;
  readonly #queueSize: number;
  /** Lines with somebody in them, next one to be served first. */
  readonly #lines = new Map<string, Waiter[]>();
  readonly #stats: Pick<BackendRequestStats, 'inFlight' | 'queued'>;

  /** `stats` says how many are in flight and waiting, and is not written by anybody else. */
  constructor(size: number, queueSize: number, stats: Pick<BackendRequestStats, 'inFlight' | 'queued'>) {
    this.#size = size;
    this.#queueSize = queueSize;
    this.#stats = stats;
  }

  /** Rejects with NoPlaceError, or as `work` does. */
  async run<T>(line: string, waitMsMax: number, work: () => Promise<T>): Promise<T> {
    if (this.#stats.inFlight < this.#size) this.#stats.inFlight++;
    else await this.#wait(line, waitMsMax);
    try {
      return await work();
    } finally {
      this.#release();
    }
  }

  #wait(line: string, waitMsMax: number): Promise<void> {
    if (this.#stats.queued >= this.#queueSize && !this.#makeRoom(line)) return Promise.reject(refusal());
    return new Promise((go, refuse) => {
      const waiter = { untilMs: performance.now() + waitMsMax, go, refuse };
      this.#stats.queued++;
      const waiters = this.#lines.get(line);
      if (waiters === undefined) this.#lines.set(line, [waiter]);
      else waiters.push(waiter);
    });
  }

  /** Refuses the newest of the longest line, unless the newcomer's own line would be as long then. */
  #makeRoom(newcomersLine: string): boolean {
    let longest: Waiter[] = [];
    for (const waiters of this.#lines.values()) if (waiters.length > longest.length) longest = waiters;
    const ownLength = this.#lines.get(newcomersLine)?.length ?? 0;
    if (longest.length <= ownLength + 1) return false;
    longest.pop()?.refuse(refusal());
    this.#stats.queued--;
    return true;
  }

  /** Hands the place on to the next in turn, if any. */
  #release(): void {
    for (let waiter = this.#next(); waiter !== undefined; waiter = this.#next()) {
      if (performance.now() < waiter.untilMs) return waiter.go();
      waiter.refuse(refusal());
    }
    this.#stats.inFlight--;
  }

  #next(): Waiter | undefined {
    for (const [line, waiters] of this.#lines) {
      this.#lines.delete(line);
      const waiter = waiters.shift();
      if (waiters.length > 0) this.#lines.set(line, waiters);
      this.#stats.queued--;
      return waiter;
    }
    return undefined;
  }
}

function refusal(): NoPlaceError {
  return new NoPlaceError('too many requests to backends');
}
