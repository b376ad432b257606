import type { Calls } from './calls.js';
import { randomId } from './epoch.js';
import type { InboxReaders } from './inbox-readers.js';
import { numberIn, type InboxPlace } from './inbox-state.js';
import type { Keys } from './keys.js';
import type { Settings } from './options.js';
import { UNKNOWN } from './refresh.js';

interface OwnInboxesParts {
  readonly calls: Calls;
  readonly keys: Keys;
  readonly readers: InboxReaders;
}

/** What Redis says of an inbox and the log beside it, and what this node had taken from them when it asked. */
interface CheckedInbox {
  readonly dataset: string;
  readonly sequence: number;
  readonly taken: number;
  readonly shared: number;
  readonly sharedTaken: number;
}

/** This node's inboxes in Redis, one a partition, and the log beside each, which nodes share. */
export class OwnInboxes {
  readonly #parts: OwnInboxesParts;
  readonly #bytesMax: number;
  /** What many nodes get is for sockets, which a router has none of. */
  readonly #readsLog: boolean;

  constructor({ calls, keys, readers }: OwnInboxesParts, { role, inboxBytesMax }: Settings) {
    this.#parts = { calls, keys, readers };
    this.#bytesMax = inboxBytesMax;
    this.#readsLog = role !== 'router';
  }

  /** Begins an inbox anew: what is added from now on will arrive, once the place is read. */
  async open(node: string, partition: number): Promise<{ dataset: string; place: InboxPlace }> {
    const { calls, keys } = this.#parts;
    const args = [node, randomId(), this.#bytesMax, this.#readsLog ? '1' : ''];
    const call = { keys: [keys.base(partition)], args };
    const [dataset, last] = await calls.of(partition).run<[string, string]>('open-inbox', call);
    const log = this.#readsLog ? { key: keys.key(partition, 'SHARED_LOG'), last } : null;
    return { dataset, place: { key: keys.key(partition, 'INBOX', node), log } };
  }

  /** Has what was processed trimmed. */
  async check(node: string, partition: number): Promise<CheckedInbox> {
    const { calls, keys, readers } = this.#parts;
    const { taken, processed, beside } = readers.inboxes[partition]!;
    const bytesRead = readers.takeBytesRead(partition);
    const sharedTaken = beside?.taken ?? 0;
    const args = [node, processed, bytesRead, this.#bytesMax, beside?.processed ?? ''];
    const call = { keys: [keys.base(partition)], args };
    try {
      const [sequence, dataset, last] = await calls.of(partition).run<[string, string, string]>('check-inbox', call);
      const number = (text: string, none: number) => (text === '' ? none : numberIn(text));
      return { dataset, sequence: number(sequence, UNKNOWN), taken, shared: number(last, 0), sharedTaken };
    } catch (error) {
      readers.giveBack(partition, bytesRead);
      throw error;
    }
  }

  /** Partition of an inbox, or of the log beside one, by its key; -1: it is none of this node's. */
  partitionOf(node: string, key: string): number {
    const { keys, readers } = this.#parts;
    const keysOf = (partition: number) => [keys.key(partition, 'INBOX', node), keys.key(partition, 'SHARED_LOG')];
    return readers.inboxes.findIndex((_, partition) => keysOf(partition).includes(key));
  }
}
