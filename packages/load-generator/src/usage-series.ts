import { nowMicros } from './clock.js';
import { coreBusySeconds, cpuSeconds } from './process-usage.js';

interface Sample {
  readonly atMicros: number;
  readonly seconds: readonly number[];
}

const INTERVAL_MS = 50;

/**
 * Keeps the CPU time of processes and cores over a run. When the stretch that counts is known only afterwards (first to
 * last frame), it can still be asked for.
 */
export class UsageSeries {
  readonly #readers: ReadonlyMap<string, () => number>;
  readonly #samples: Sample[] = [];
  readonly #timer: NodeJS.Timeout;

  constructor(processes: Readonly<Record<string, readonly number[]>>, cores: readonly number[] = []) {
    const readers = new Map<string, () => number>();
    for (const [name, pids] of Object.entries(processes)) {
      readers.set(name, () => pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0));
    }
    for (const core of cores) readers.set(`core ${core}`, () => coreBusySeconds(core));
    this.#readers = readers;
    this.#sample();
    this.#timer = setInterval(() => this.#sample(), INTERVAL_MS);
  }

  /** Takes no more samples; those that were taken can still be asked for. */
  stop(): void {
    clearInterval(this.#timer);
    this.#sample();
  }

  /** Returns CPU seconds between two times, by name (a core's is `core <n>`). */
  between(fromMicros: number, toMicros: number): Record<string, number> {
    const [from, to] = [this.#at(fromMicros), this.#at(toMicros)];
    return Object.fromEntries([...this.#readers.keys()].map((name, i) => [name, to[i]! - from[i]!]));
  }

  #sample(): void {
    this.#samples.push({ atMicros: nowMicros(), seconds: [...this.#readers.values()].map((read) => read()) });
  }

  /** Interpolates between the samples around the time. */
  #at(micros: number): number[] {
    const found = this.#samples.findIndex(({ atMicros }) => atMicros >= micros);
    const after = found < 0 ? this.#samples.length - 1 : Math.max(1, found);
    const [a, b] = [this.#samples[after - 1]!, this.#samples[after]!];
    const share = b.atMicros === a.atMicros ? 0 : (micros - a.atMicros) / (b.atMicros - a.atMicros);
    return a.seconds.map((seconds, i) => seconds + share * (b.seconds[i]! - seconds));
  }
}
