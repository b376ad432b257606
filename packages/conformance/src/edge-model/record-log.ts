import {
  publicStream,
  pushHead,
  roomStream,
  userStream,
  type Block,
  type Engine,
  type PublishItem,
  type StreamName,
} from '@ws-gateway/core';
import { BLOCKS, quotesOf, QUOTES, retention, ROOM, TOPIC, USERS, type User } from './scenario.js';
import type { Clock } from './clock.js';

/** The part of a node that publishes. */
export interface Publisher {
  readonly engine: Engine;
  readonly alive: boolean;
}

/** A block or its end. It decides about handshakes from some moment between its first two times on. */
export interface BlockChange {
  readonly blocked: boolean;
  readonly issuedAt: number;
  appliedAt: number;
  /**
   * Time at which all nodes had been told to close the user's connections. Until then a new connection may be taken for
   * an old one.
   */
  deliveredAt: number;
}

/**
 * Records of one Kafka partition and the router that publishes them. It publishes them in order with their offsets, and
 * again from the last acknowledged one when another node takes the partition over.
 */
export class ModelPartition {
  node: Publisher;
  readonly #partition: number;
  readonly #items: PublishItem[] = [];
  readonly #onApplied = new Map<number, () => void>();
  /** Offset of the first record that is not known to be applied. */
  #open = 0;
  #previous = -1;
  #inFlight: Promise<unknown> = Promise.resolve();

  constructor(partition: number, node: Publisher) {
    this.#partition = partition;
    this.node = node;
  }

  add(items: readonly Omit<PublishItem, 'sourceOffset'>[], onApplied?: () => void): void {
    const from = this.#items.length;
    for (const item of items) this.#items.push({ ...item, sourceOffset: this.#items.length } as PublishItem);
    if (onApplied !== undefined) this.#onApplied.set(this.#items.length - 1, onApplied);
    this.#publish(from);
  }

  /**
   * Gives the partition to a node that begins some records before the last acknowledged one, as after a commit that
   * came too late.
   */
  takeOver(node: Publisher, overlap: number): void {
    this.node = node;
    this.#previous = -1;
    const from = Math.max(0, this.#open - overlap);
    if (from < this.#items.length) this.#publish(from);
  }

  /** Resolves when everything is applied. Rejects when a node that is alive could not do it. */
  settle(): Promise<unknown> {
    return this.#inFlight;
  }

  #publish(from: number): void {
    const { node } = this;
    const items = this.#items.slice(from);
    const lastOffset = this.#items.length - 1;
    const source = { topic: TOPIC, partition: this.#partition, previousOffset: this.#previous, lastOffset };
    this.#previous = lastOffset;
    const done = node.engine.publish({ source, items }).then(
      () => this.#applied(lastOffset + 1),
      (error: unknown) => {
        // A node that was killed fails, and the next owner of the partition repeats the call.
        if (node.alive) throw error;
      },
    );
    this.#inFlight = Promise.all([this.#inFlight, done]);
    // `settle` reports a failure.
    this.#inFlight.catch(() => undefined);
  }

  #applied(end: number): void {
    for (; this.#open < end; this.#open++) this.#onApplied.get(this.#open)?.();
  }
}

/** Remembers everything that was published: which record stands at which offset of which stream. */
export class RecordLog {
  readonly #blocks = new Map<User, BlockChange[]>();
  readonly #ids = new Map<StreamName, string[]>();
  readonly #clock: Clock;
  #count = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  top(stream: StreamName): number {
    return this.#ids.get(stream)?.length ?? 0;
  }

  idAt(stream: StreamName, offset: number): string | undefined {
    return this.#ids.get(stream)?.[offset - 1];
  }

  toUser(lane: ModelPartition, user: User, count: number): void {
    const stream = userStream(TOPIC, user);
    const base = { kind: 'user', topic: TOPIC, user } as const;
    lane.add(this.#heads(count, stream, user).map((head) => ({ ...base, ...head })));
  }

  toEverybody(lane: ModelPartition, count: number): void {
    this.#toChannel(lane, count, publicStream(TOPIC));
  }

  toRoom(lane: ModelPartition, count: number): void {
    this.#toChannel(lane, count, roomStream(ROOM));
  }

  toKey(lane: ModelPartition, key: string, count: number): void {
    const stream = quotesOf(key);
    lane.add(this.#heads(count, stream, null, key).map((head) => ({ kind: 'channel', stream, ...head })));
  }

  block(lane: ModelPartition, user: User, block: Block | null): void {
    const times = { issuedAt: this.#clock.tick(), appliedAt: Infinity, deliveredAt: Infinity };
    const change: BlockChange = { blocked: block !== null, ...times };
    this.changesOf(user).push(change);
    const fields = { event: BLOCKS, topic: BLOCKS, id: String(++this.#count), type: 'user_block', timestamp: '' };
    const head = pushHead({ ...fields, payload: JSON.stringify({ blocked: block !== null }) }, user, null);
    const item = { kind: 'block', topic: BLOCKS, user, retention: null, block, head, recordTimeMs: 1 } as const;
    lane.add([item], () => (change.appliedAt = this.#clock.tick()));
  }

  delivered(): void {
    const now = this.#clock.tick();
    for (const change of USERS.flatMap((user) => this.changesOf(user)))
      change.deliveredAt = Math.min(change.deliveredAt, now);
  }

  changesOf(user: User): BlockChange[] {
    const changes = this.#blocks.get(user) ?? [];
    this.#blocks.set(user, changes);
    return changes;
  }

  #toChannel(lane: ModelPartition, count: number, stream: StreamName): void {
    lane.add(this.#heads(count, stream, null).map((head) => ({ kind: 'channel', stream, ...head })));
  }

  #heads(count: number, stream: StreamName, user: User | null, key?: string) {
    const ids = this.#ids.get(stream) ?? [];
    this.#ids.set(stream, ids);
    return Array.from({ length: count }, () => {
      const id = String(++this.#count);
      ids.push(id);
      const topic = key === undefined ? TOPIC : QUOTES;
      const fields = { event: topic, topic, key, id, type: 'n', timestamp: '', payload: id };
      return { head: pushHead(fields, user, stream), retention, recordTimeMs: 1 };
    });
  }
}
