import type { BackendRequestStats } from '@ws-gateway/core';

/** The gateway asks too much already: the answer is `busy`. */
export class QueueFullError extends Error {
  override readonly name = 'QueueFullError';
}

export interface LimiterOptions {
  /** Number of calls at once, over all backends. */
  readonly size: number;
  /** Number of calls that wait for a place. */
  readonly queueSize: number;
  /** Names of the backends that share the places. */
  readonly backends: readonly string[];
}

export interface Turn {
  readonly backend: string;
  /** Time in ms; a call that waits longer is refused when its turn comes. */
  readonly waitMsMax: number;
  /** True: the call waits in a line beside that of the others, as long as it takes. The caller bounds how many wait. */
  readonly patient: boolean;
}

interface Waiter {
  readonly untilMs: number;
  readonly go: () => void;
  readonly refuse: (error: QueueFullError) => void;
}

interface Line {
  readonly backend: string;
  readonly patient: boolean;
  readonly waiters: Waiter[];
}

/**
 * Allows at most `size` calls at once, with at most `queueSize` waiting. Half of the places are reserved, the same
 * number for each backend, and the other half is for whichever comes: a backend that does not answer never takes what
 * the others need. Each backend has a line of its own; the lines are served in turn, and when there is no room left the
 * longest line gives way.
 */
export class ConcurrencyLimiter {
  readonly #reservedEach: number;
  readonly #common: number;
  readonly #queueSize: number;
  readonly #inFlight = new Map<string, number>();
  #commonInFlight = 0;
  /** Lines with somebody in them, next one to be served first. */
  readonly #lines = new Map<string, Line>();
  /** Number of calls in lines that are not patient. */
  #waiting = 0;
  readonly #stats: Pick<BackendRequestStats, 'inFlight' | 'queued'>;

  /** `stats` tells how many calls are in flight and waiting; nobody else writes it. */
  constructor({ size, queueSize, backends }: LimiterOptions, stats: Pick<BackendRequestStats, 'inFlight' | 'queued'>) {
    const count = Math.max(1, backends.length);
    // With fewer places than backends none can be reserved.
    this.#reservedEach = Math.max(Math.floor(size / (2 * count)), size >= count ? 1 : 0);
    this.#common = size - count * this.#reservedEach;
    this.#queueSize = queueSize;
    this.#stats = stats;
  }

  /** Runs `work` in its turn. Rejects with QueueFullError, or as `work` does. */
  async run<T>(turn: Turn, work: () => Promise<T>): Promise<T> {
    if (this.#mayBegin(turn.backend)) this.#begin(turn.backend);
    else await this.#wait(turn);
    try {
      return await work();
    } finally {
      this.#end(turn.backend);
    }
  }

  #mayBegin(backend: string): boolean {
    return this.#inFlightOf(backend) < this.#reservedEach || this.#commonInFlight < this.#common;
  }

  #begin(backend: string): void {
    const inFlight = this.#inFlightOf(backend);
    if (inFlight >= this.#reservedEach) this.#commonInFlight++;
    this.#inFlight.set(backend, inFlight + 1);
    this.#stats.inFlight++;
  }

  #end(backend: string): void {
    const inFlight = this.#inFlightOf(backend) - 1;
    if (inFlight >= this.#reservedEach) this.#commonInFlight--;
    this.#inFlight.set(backend, inFlight);
    this.#stats.inFlight--;
    while (this.#serveNext());
  }

  #inFlightOf(backend: string): number {
    return this.#inFlight.get(backend) ?? 0;
  }

  #wait({ backend, waitMsMax, patient }: Turn): Promise<void> {
    const key = patient ? `${backend} (patient)` : backend;
    if (!patient && this.#waiting >= this.#queueSize && !this.#makeRoom(key)) return Promise.reject(refusal());
    return new Promise((go, refuse) => {
      const untilMs = patient ? Infinity : performance.now() + waitMsMax;
      const line = this.#lines.get(key) ?? { backend, patient, waiters: [] };
      line.waiters.push({ untilMs, go, refuse });
      this.#lines.set(key, line);
      this.#count(line, 1);
    });
  }

  /** Refuses the newest of the longest line, unless the newcomer's own line would be as long then. */
  #makeRoom(newcomersKey: string): boolean {
    let longest: Line | null = null;
    for (const line of this.#lines.values())
      if (!line.patient && line.waiters.length > (longest?.waiters.length ?? 0)) longest = line;
    const ownLength = this.#lines.get(newcomersKey)?.waiters.length ?? 0;
    if (longest === null || longest.waiters.length <= ownLength + 1) return false;
    longest.waiters.pop()?.refuse(refusal());
    this.#count(longest, -1);
    return true;
  }

  /** Gives a place to the first line in turn that may have one. False: to nobody. */
  #serveNext(): boolean {
    for (const [key, line] of this.#lines) {
      if (!this.#mayBegin(line.backend)) continue;
      const waiter = line.waiters.shift();
      this.#lines.delete(key);
      if (line.waiters.length > 0) this.#lines.set(key, line);
      if (waiter === undefined) continue;
      this.#count(line, -1);
      if (performance.now() < waiter.untilMs) {
        this.#begin(line.backend);
        waiter.go();
      } else {
        waiter.refuse(refusal());
      }
      return true;
    }
    return false;
  }

  #count({ patient }: Line, change: 1 | -1): void {
    this.#stats.queued += change;
    if (!patient) this.#waiting += change;
  }
}

function refusal(): QueueFullError {
  return new QueueFullError('too many requests to backends');
}
