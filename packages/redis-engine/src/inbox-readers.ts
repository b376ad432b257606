import type { Redis } from 'ioredis';
import { InboxReader, type InboxReaderOptions, type InboxReaderParts } from './inbox-reader.js';
import type { Clients } from './redis-client.js';

/** The readers of this node's inboxes: one for all, or one each. */
export class InboxReaders {
  readonly #readers: readonly InboxReader[];

  private constructor(readers: readonly InboxReader[]) {
    this.#readers = readers;
  }

  static over({ inboxes, channels }: Clients, parts: InboxReaderParts, options: InboxReaderOptions): InboxReaders {
    const create = (reading: Redis, place: number) =>
      new InboxReader({ reading, channel: channels[place] ?? null }, parts, options);
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
