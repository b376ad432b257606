import type { Redis } from 'ioredis';
import { BatchQueue, type BatchQueueParts, type InboxListener } from './batch-queue.js';
import { InboxReader } from './inbox-reader.js';
import type { Clients } from './redis-client.js';

export interface InboxReadersOptions {
  readonly timeoutMs: number;
  readonly listener: InboxListener;
  /** Bytes that may wait in an inbox. */
  readonly bytesMax: number;
}

/** The readers of this node's inboxes: one for all, or one each. All hand over by one queue. */
export class InboxReaders {
  readonly #readers: readonly InboxReader[];

  private constructor(readers: readonly InboxReader[]) {
    this.#readers = readers;
  }

  static over({ inboxes, channels }: Clients, parts: BatchQueueParts, options: InboxReadersOptions): InboxReaders {
    const { stats, logger } = parts;
    const queue = new BatchQueue(parts, options);
    const create = (reading: Redis, place: number) =>
      new InboxReader({ reading, channel: channels[place] ?? null }, { queue, stats, logger }, options);
    return new InboxReaders(inboxes.map(create));
  }

  get ready(): boolean {
    return this.#readers.every((reader) => reader.ready);
  }

  /** Inboxes by partition. */
  get inboxes(): InboxReader['inboxes'] {
    const [first] = this.#readers;
    return this.#readers.length === 1 ? first!.inboxes : this.#readers.flatMap(({ inboxes }) => inboxes);
  }

  /** See InboxReader.follow. */
  follow(keys: readonly string[]): void {
    const [first] = this.#readers;
    if (this.#readers.length === 1) first!.follow(keys);
    else for (const [partition, reader] of this.#readers.entries()) reader.follow([keys[partition]!]);
  }

  /** See InboxReader.startOver. */
  startOver(keys: readonly string[]): void {
    for (const reader of this.#readers) reader.startOver(keys);
  }

  /** See InboxReader.reach. */
  async reach(sequences: readonly number[]): Promise<void> {
    const [first] = this.#readers;
    if (this.#readers.length === 1) await first!.reach(sequences);
    else await Promise.all(this.#readers.map((reader, partition) => reader.reach([sequences[partition]!])));
  }

  /** See InboxReader.takeBytesRead. */
  takeBytesRead(partition: number): number {
    const [first] = this.#readers;
    return this.#readers.length === 1 ? first!.takeBytesRead(partition) : this.#readers[partition]!.takeBytesRead(0);
  }

  /** See InboxReader.giveBack. */
  giveBack(partition: number, bytesRead: number): void {
    const [first] = this.#readers;
    if (this.#readers.length === 1) first!.giveBack(partition, bytesRead);
    else this.#readers[partition]!.giveBack(0, bytesRead);
  }

  probe(): void {
    for (const reader of this.#readers) reader.probe();
  }

  stop(): void {
    for (const reader of this.#readers) reader.stop();
  }
}
