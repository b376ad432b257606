import type { Redis } from 'ioredis';
import { BatchQueue, type BatchQueueParts, type InboxListener } from './batch-queue.js';
import { InboxReader, type Reached } from './inbox-reader.js';
import type { InboxPlace } from './inbox-state.js';
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
      new InboxReader({ reading, channel: channels[place]! }, { queue, stats, logger }, options);
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
  follow(places: readonly InboxPlace[]): void {
    const [first] = this.#readers;
    if (this.#readers.length === 1) first!.follow(places);
    else for (const [partition, reader] of this.#readers.entries()) reader.follow([places[partition]!]);
  }

  /** See InboxReader.startOver. */
  startOver(places: readonly InboxPlace[]): void {
    for (const reader of this.#readers) reader.startOver(places);
  }

  /** See InboxReader.reach. */
  async reach(numbers: readonly Reached[]): Promise<void> {
    const [first] = this.#readers;
    if (this.#readers.length === 1) await first!.reach(numbers);
    else await Promise.all(this.#readers.map((reader, partition) => reader.reach([numbers[partition]!])));
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
