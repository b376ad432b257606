import type { PartitionBounds, RecordProducer, TopicReader } from '@ws-gateway/kafka-source';
import { pairName, type DeadLetterArchive, type DeadLetterFilter } from './dead-letter-archive.js';
import { originalRecord, type DeadLetter } from './dead-letter.js';

export interface ReplayDeps {
  readonly archive: DeadLetterArchive;
  readonly reader: TopicReader;
  readonly producer: RecordProducer;
}

export interface ReplayOptions {
  readonly filter: DeadLetterFilter;
  /** The gateway's group: how far letters were replayed is committed for groups that begin with its name. */
  readonly groupId: string;
  readonly dryRun: boolean;
  /** True: also those that were replayed before. */
  readonly again: boolean;
}

export interface Replayed {
  readonly topic: string;
  readonly reason: string;
  count: number;
}

/**
 * Writes dead letters back to the topics they came from, in their order, so that what has one key stays in order. How far
 * it came is kept for each topic and reason by itself: a replay of one reason leaves the others to be replayed.
 */
export class DeadLetterReplay {
  readonly #deps: ReplayDeps;
  readonly #options: ReplayOptions;
  /** Offset behind the last letter that was replayed, by pair and partition. */
  readonly #progress = new Map<string, Map<number, number>>();
  readonly #counts = new Map<string, Replayed>();
  readonly #checked = new Set<string>();

  constructor(deps: ReplayDeps, options: ReplayOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Replays the letters. What was written before a failure stays written, and is known as replayed. */
  async run(): Promise<Replayed[]> {
    const { archive } = this.#deps;
    const bounds = await archive.bounds();
    for await (const letters of archive.letters(bounds, this.#options.filter)) {
      const open = await this.#notReplayed(letters, bounds);
      if (open.length === 0) continue;
      if (!this.#options.dryRun) await this.#write(open);
      for (const letter of open) this.#count(letter);
    }
    return [...this.#counts.values()];
  }

  async #notReplayed(letters: readonly DeadLetter[], bounds: readonly PartitionBounds[]): Promise<DeadLetter[]> {
    const open: DeadLetter[] = [];
    for (const letter of letters) {
      // Without the header nobody knows where it belongs.
      if (letter.topic === '') continue;
      const progress = await this.#progressOf(letter, bounds);
      if (this.#options.again || letter.record.offset >= (progress.get(letter.partition) ?? 0)) open.push(letter);
    }
    return open;
  }

  async #progressOf(letter: DeadLetter, bounds: readonly PartitionBounds[]): Promise<Map<number, number>> {
    const group = this.#groupOf(letter);
    let progress = this.#progress.get(group);
    if (progress === undefined) {
      const partitions = bounds.map(({ partition }) => partition);
      progress = await this.#deps.reader.committed(group, this.#deps.archive.topic, partitions);
      this.#progress.set(group, progress);
    }
    return progress;
  }

  async #write(letters: readonly DeadLetter[]): Promise<void> {
    const { producer, reader, archive } = this.#deps;
    for (const [topic, ofTopic] of Map.groupBy(letters, (letter) => letter.topic)) {
      if (!this.#checked.has(topic)) await producer.requireTopic(topic);
      this.#checked.add(topic);
      await producer.write(topic, ofTopic.map(originalRecord));
      for (const [group, ofGroup] of Map.groupBy(ofTopic, (letter) => this.#groupOf(letter))) {
        const { partition, record } = ofGroup.at(-1)!;
        await reader.commit(group, archive.topic, new Map([[partition, record.offset + 1]]));
      }
    }
  }

  #groupOf({ topic, reason }: DeadLetter): string {
    return `${this.#options.groupId}-replay-${pairName(topic, reason)}`;
  }

  #count({ topic, reason }: DeadLetter): void {
    const name = pairName(topic, reason);
    const counted = this.#counts.get(name) ?? { topic, reason, count: 0 };
    counted.count++;
    this.#counts.set(name, counted);
  }
}
