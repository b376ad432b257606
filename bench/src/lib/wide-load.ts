import { EngineStats, type Inbox, type PublishItem } from '@ws-gateway/core';
import { RedisEngine } from '@ws-gateway/redis-engine';
import { Redis } from 'ioredis';
import { Partitioners } from 'kafkajs';
import type { MeasuredRedis } from './local-redis.js';
import { quiet } from './quiet.js';
import { waitFor } from './wait.js';

const FRAME_BYTES = 512;
const HISTORY_TTL_MS = 3_600_000;
const STREAM = 'notifications';
/** Number of partitions of the topic. */
const KAFKA_PARTITIONS = 64;

export interface WideShape {
  /** Nodes that get messages. They have no sockets, only the rows of their users or of the channel. */
  readonly nodes: number;
  /** Messages that the publisher hands over at a time. */
  readonly call: number;
  readonly users: number;
  /** 1: each message is for one channel that all nodes watch. 0: each is for one user. */
  readonly channel: number;
  /** Messages kept of each stream. */
  readonly history: number;
  /** Partitions of Redis. */
  readonly partitions: number;
  /** 1: they are chosen by the hash of the producers, 0: by another one. */
  readonly murmur2: number;
  /** Calls that are on their way at a time. */
  readonly parallel: number;
}

/** Something that brings messages to nodes by way of Redis. */
export interface Carrier {
  /** Resolves when all of them have come to all their nodes. */
  carry(messages: number): Promise<void>;
  stop(): Promise<void>;
}

/** The engine of the gateway: as many as there are nodes, and one that publishes. */
export class EngineCarrier implements Carrier {
  readonly #shape: WideShape;
  readonly #router: RedisEngine;
  readonly #nodes: readonly RedisEngine[];
  readonly #inbox: CountingInbox;
  readonly #calls: Calls;

  private constructor(shape: WideShape, engines: { router: RedisEngine; nodes: RedisEngine[] }, inbox: CountingInbox) {
    this.#shape = shape;
    this.#router = engines.router;
    this.#nodes = engines.nodes;
    this.#inbox = inbox;
    this.#calls = new Calls(shape);
  }

  static async start({ host, port }: MeasuredRedis, shape: WideShape): Promise<EngineCarrier> {
    const inbox = new CountingInbox();
    const server = { host, port };
    const start = async (node: string, role: 'edge' | 'router'): Promise<RedisEngine> => {
      const partitioner = shape.murmur2 === 1 ? 'murmur2' : 'crc32';
      const layout = { keyPrefix: 'bench', partitions: shape.partitions, partitioner } as const;
      const engine = new RedisEngine({ logger: quiet, stats: new EngineStats() }, { node, role, server, ...layout });
      await engine.start(inbox);
      return engine;
    };
    const nodes: RedisEngine[] = [];
    for (let node = 0; node < shape.nodes; node++) nodes.push(await start(`node-${node}`, 'edge'));
    const carrier = new EngineCarrier(shape, { router: await start('router', 'router'), nodes }, inbox);
    await carrier.#register();
    return carrier;
  }

  async carry(messages: number): Promise<void> {
    const { parallel, nodes, channel } = this.#shape;
    const expected = this.#inbox.delivered + messages * (channel === 1 ? nodes : 1);
    const flying: Promise<unknown>[] = [];
    for (const { partition, firstOffset, users } of this.#calls.take(messages)) {
      const items = users.map((user, i) => this.#item(user, firstOffset + i));
      const lastOffset = firstOffset + users.length - 1;
      const source = { topic: 't', partition, previousOffset: firstOffset - 1, lastOffset };
      flying.push(this.#router.publish({ source, items }));
      if (flying.length >= parallel) await flying.shift();
    }
    await Promise.all(flying);
    await waitFor('all messages to reach their nodes', 60_000, () => this.#inbox.delivered >= expected);
    if (this.#inbox.delivered > expected) throw new Error('a node got a message twice');
  }

  async stop(): Promise<void> {
    for (const engine of [this.#router, ...this.#nodes]) await engine.stop();
  }

  async #register(): Promise<void> {
    const { users, channel } = this.#shape;
    if (channel === 1) return void (await Promise.all(this.#nodes.map((node) => node.watch([STREAM]))));
    const rest = { endpoint: '/ws', sinceMs: Date.now(), streams: [], sessions: null };
    for (let user = 0; user < users; user++) {
      const node = this.#nodes[user % this.#nodes.length]!;
      await node.admit({ ...rest, user: userName(user), connection: `c${user}` });
    }
  }

  #item(user: number, sourceOffset: number): PublishItem {
    const { channel, history } = this.#shape;
    const retention = history === 0 ? null : retentionOf(history);
    const rest = { retention, head: frameHead(sourceOffset), sourceOffset, recordTimeMs: Date.now() };
    if (channel === 1) return { ...rest, kind: 'channel', stream: STREAM };
    return { ...rest, kind: 'user', topic: STREAM, user: userName(user) };
  }
}

/**
 * The floor: of each call, what is for one node is published on its channel as one message, or on the one channel that all
 * nodes subscribe to. Nothing is looked up, kept or made good.
 */
export class BareCarrier implements Carrier {
  readonly #shape: WideShape;
  readonly #publisher: Redis;
  readonly #subscribers: readonly Redis[];
  readonly #calls: Calls;
  #bytes = 0;

  private constructor(shape: WideShape, publisher: Redis, subscribers: readonly Redis[]) {
    this.#shape = shape;
    this.#publisher = publisher;
    this.#subscribers = subscribers;
    this.#calls = new Calls(shape);
  }

  static async start({ host, port }: MeasuredRedis, shape: WideShape): Promise<BareCarrier> {
    const connect = (): Redis => new Redis({ host, port });
    const carrier = new BareCarrier(shape, connect(), Array.from({ length: shape.nodes }, connect));
    for (const [node, subscriber] of carrier.#subscribers.entries()) {
      subscriber.on('messageBuffer', (_channel: Buffer, frames: Buffer) => (carrier.#bytes += frames.length));
      await subscriber.subscribe(carrier.#channelOf(node));
    }
    return carrier;
  }

  async carry(messages: number): Promise<void> {
    const { parallel, nodes, channel } = this.#shape;
    const expected = this.#bytes + messages * FRAME.length * (channel === 1 ? nodes : 1);
    const flying: Promise<unknown>[] = [];
    for (const { users } of this.#calls.take(messages)) {
      const frames = new Map<string, string>();
      for (const user of users) {
        const name = this.#channelOf(user % nodes);
        frames.set(name, (frames.get(name) ?? '') + FRAME);
      }
      flying.push(Promise.all([...frames].map(([name, joined]) => this.#publisher.publish(name, joined))));
      if (flying.length >= parallel) await flying.shift();
    }
    await Promise.all(flying);
    await waitFor('all messages to be published', 60_000, () => this.#bytes >= expected);
  }

  async stop(): Promise<void> {
    for (const client of [this.#publisher, ...this.#subscribers]) await client.quit();
  }

  #channelOf(node: number): string {
    return this.#shape.channel === 1 ? 'bare' : `bare-${node}`;
  }
}

interface Call {
  readonly partition: number;
  readonly firstOffset: number;
  readonly users: readonly number[];
}

/** Calls as a router makes them: each has records of one Kafka partition, and so users whom a producer put there. */
class Calls {
  readonly #size: number;
  readonly #usersOf: readonly number[][];
  readonly #offsets: number[] = Array.from({ length: KAFKA_PARTITIONS }, () => 0);
  #partition = 0;

  constructor({ call, users }: WideShape) {
    this.#size = call;
    this.#usersOf = this.#offsets.map(() => []);
    const choose = Partitioners.DefaultPartitioner();
    const partitionMetadata = this.#offsets.map((_, partitionId) => partition(partitionId));
    for (let user = 0; user < users; user++) {
      const message = { key: userName(user), value: null };
      this.#usersOf[choose({ topic: 't', partitionMetadata, message })]!.push(user);
    }
  }

  *take(messages: number): Generator<Call> {
    for (let taken = 0; taken < messages; taken += this.#size) {
      this.#partition = (this.#partition + 1) % KAFKA_PARTITIONS;
      const [partition, own] = [this.#partition, this.#usersOf[this.#partition]!];
      const firstOffset = this.#offsets[partition]!;
      this.#offsets[partition] = firstOffset + this.#size;
      const users = Array.from({ length: this.#size }, (_, i) => own[(firstOffset + i) % own.length]!);
      yield { partition, firstOffset, users };
    }
  }
}

function partition(partitionId: number) {
  return { partitionErrorCode: 0, partitionId, leader: 0, replicas: [0], isr: [0] };
}

function userName(user: number): string {
  return `user-${user}`;
}

class CountingInbox implements Inbox {
  delivered = 0;

  deliver(): void {
    this.delivered++;
  }

  broadcast(): void {
    throw new Error('nothing is for all here');
  }

  command(): void {
    throw new Error('nobody is told anything here');
  }

  endBatch(): void {
    // Nothing is collected.
  }

  rebuild({ reason }: { readonly reason: string }): Promise<void> {
    return Promise.reject(new Error(`messages were lost: ${reason}`));
  }

  holds(): boolean {
    return true;
  }
}

const retentions = new Map<number, NonNullable<Extract<PublishItem, { kind: 'user' }>['retention']>>();

/** The same object for the same history, as the router has it: items of one class are told by it. */
function retentionOf(size: number): NonNullable<Extract<PublishItem, { kind: 'user' }>['retention']> {
  const known = retentions.get(size) ?? { mode: 'ordered', size, ttlMs: HISTORY_TTL_MS };
  retentions.set(size, known);
  return known;
}

/** Made as the router makes it: a new string by concatenation, to which the engine adds epoch and offset. */
function frameHead(number: number): string {
  return '{"payload":"' + String(number).padEnd(FRAME_BYTES - 40, 'x') + '","epoch":"';
}

const FRAME = frameHead(0);
