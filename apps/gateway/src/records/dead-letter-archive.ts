import type { PartitionBounds, TopicReader } from '@ws-gateway/kafka-source';
import { readDeadLetter, type DeadLetter } from './dead-letter.js';

/** Letters read at a time. */
const STEP = 1000;

export interface DeadLetterFilter {
  readonly reason?: string | undefined;
  /** Kafka's name. */
  readonly topic?: string | undefined;
  /** Time in ms since the epoch; older letters are left out. */
  readonly sinceMs?: number | undefined;
}

export interface DeadLetterCount {
  readonly topic: string;
  readonly reason: string;
  readonly count: number;
  /** RFC 3339. */
  readonly oldest: string;
  readonly newest: string;
}

/** Looks through the dead letter topic without a group. */
export class DeadLetterArchive {
  readonly topic: string;
  readonly #reader: TopicReader;

  constructor(reader: TopicReader, topic: string) {
    this.#reader = reader;
    this.topic = topic;
  }

  /** Its partitions; empty when there has never been a dead letter. `newest` limits how many records of each. */
  async bounds(newest = Infinity): Promise<PartitionBounds[]> {
    const all = (await this.#reader.bounds(this.topic)) ?? [];
    return all.map(({ partition, begin, end }) => ({ partition, begin: Math.max(begin, end - newest), end }));
  }

  /**
   * Letters in order, some at a time; those of a partition come one behind the other. Behind an open transaction there are
   * none yet.
   */
  async *letters(bounds: readonly PartitionBounds[], filter: DeadLetterFilter): AsyncGenerator<DeadLetter[]> {
    for (const { partition, begin, end } of bounds) {
      for (let next = begin; next < end;) {
        const found: DeadLetter[] = [];
        const step = { partition, begin: next, end: Math.min(end, next + STEP) };
        next = await this.#reader.read(this.topic, step, (records) => {
          found.push(...records.map((record) => readDeadLetter(partition, record)).filter((l) => matches(l, filter)));
        });
        yield found;
        if (next < step.end) break;
      }
    }
  }

  async count(bounds: readonly PartitionBounds[], filter: DeadLetterFilter): Promise<DeadLetterCount[]> {
    const counts = new Map<string, { topic: string; reason: string; count: number; oldest: number; newest: number }>();
    for await (const letters of this.letters(bounds, filter)) {
      for (const { topic, reason, timeMs } of letters) {
        const name = pairName(topic, reason);
        const row = counts.get(name) ?? { topic, reason, count: 0, oldest: timeMs, newest: timeMs };
        row.count++;
        row.oldest = Math.min(row.oldest, timeMs);
        row.newest = Math.max(row.newest, timeMs);
        counts.set(name, row);
      }
    }
    const time = (ms: number): string => new Date(ms).toISOString();
    return [...counts.values()]
      .map((row) => ({ ...row, oldest: time(row.oldest), newest: time(row.newest) }))
      .sort((a, b) => compare(a.topic, b.topic) || compare(a.reason, b.reason));
  }

  /** The newest ones, oldest of them first. */
  async newest(bounds: readonly PartitionBounds[], filter: DeadLetterFilter, limit: number): Promise<DeadLetter[]> {
    let kept: DeadLetter[] = [];
    for await (const letters of this.letters(bounds, filter)) {
      kept = [...kept, ...letters].sort((a, b) => a.timeMs - b.timeMs).slice(-limit);
    }
    return kept;
  }
}

/** Letters of one topic and reason are one thing to list and to replay. */
export function pairName(topic: string, reason: string): string {
  return `${topic}-${reason}`;
}

function matches(letter: DeadLetter, { reason, topic, sinceMs }: DeadLetterFilter): boolean {
  if (reason !== undefined && letter.reason !== reason) return false;
  if (topic !== undefined && letter.topic !== topic) return false;
  return sinceMs === undefined || letter.timeMs >= sinceMs;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
