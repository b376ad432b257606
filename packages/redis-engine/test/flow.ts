import { expect } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import type { ContinuityLoss, Engine, EngineError, PublishItem, StreamMessage } from '@ws-gateway/core';
import { freezeRedis, redisAdmin, waitFor } from '@ws-gateway/testkit';
import { RecordingInbox } from '@ws-gateway/conformance/engine';
import type { Redis } from 'ioredis';
import { Keys } from '../src/keys.js';
import type { createHarness } from './harness.js';
import { OpenSocket, retention } from './open-socket.js';

const RETRY_MS = 20;
/** A failover takes its time, above all on a busy machine. */
const PATIENCE_MS = 40_000;

/** Records on their way from a router node to the open sockets of an edge node, while something happens to Redis. */
export class Flow {
  readonly users: readonly string[];
  readonly router: Engine;
  readonly edge: Engine;
  readonly sockets: Sockets;
  readonly lane: Lane;
  readonly #admins: Redis[] = [];

  private constructor(harness: Awaited<ReturnType<typeof createHarness>>, users: readonly string[]) {
    this.users = users;
    this.router = harness.createEngine('router', { role: 'router' });
    this.edge = harness.createEngine('edge');
    this.sockets = new Sockets(users);
    this.lane = new Lane(this.router, users);
  }

  static async open(harness: Awaited<ReturnType<typeof createHarness>>, users: readonly string[]): Promise<Flow> {
    const flow = new Flow(harness, users);
    await flow.router.start(new RecordingInbox());
    await flow.sockets.open(flow.edge);
    return flow;
  }

  async healthy(): Promise<void> {
    const isHealthy = () => this.router.healthy && this.edge.healthy;
    await waitFor(isHealthy, { timeoutMs: PATIENCE_MS, what: 'healthy engines' });
  }

  async unhealthy(): Promise<void> {
    const isUnhealthy = () => !this.router.healthy && !this.edge.healthy;
    await waitFor(isUnhealthy, { timeoutMs: PATIENCE_MS, what: 'both engines to notice' });
  }

  async publish(count: number): Promise<void> {
    for (let i = 0; i < count; i++) await this.lane.next();
  }

  /** Waits until the running lane has published so many more. */
  async goesOn(more: number): Promise<void> {
    const count = this.lane.published.length + more;
    const hasMore = () => this.lane.published.length >= count;
    await waitFor(hasMore, { timeoutMs: PATIENCE_MS, what: `${more} more records` });
  }

  /** Everything published is at each socket, once and in order. */
  async expectAllArrived(): Promise<void> {
    const { published } = this.lane;
    const has = () => this.sockets.all.every(({ texts }) => texts.length >= published.length);
    await waitFor(has, { timeoutMs: PATIENCE_MS, what: 'all records' });
    for (const { texts } of this.sockets.all) expect(texts).toEqual(published);
  }

  /** See freezeRedis. */
  freeze(server: { port: number }): Promise<() => void> {
    return freezeRedis(this.admin(server));
  }

  /** A connection of one's own, which ends with this. */
  admin(server: { port: number }): Redis {
    const client = redisAdmin(server);
    this.#admins.push(client);
    return client;
  }

  async close(): Promise<void> {
    const ended = this.lane.end();
    for (const client of this.#admins) client.disconnect();
    await this.edge.stop();
    await this.router.stop();
    // Not before: a record that never gets through is given up only when the router has stopped.
    await ended;
  }
}

/** A user for each partition, by its number. */
export function userOfEach(partitions: number): string[] {
  const keys = new Keys('', { partitions });
  const users = new Array<string | undefined>(partitions).fill(undefined);
  for (let i = 0; users.includes(undefined); i++) users[keys.partitionOf(`u${i}`)] ??= `u${i}`;
  return users as string[];
}

export function item(user: string, text: string, sourceOffset = -1): PublishItem {
  const head = `{"text":"${text}","stream":"t/u/${user}","epoch":"`;
  return { kind: 'user', topic: 't', user, retention, head, sourceOffset, recordTimeMs: 1 };
}

/** The open sockets of a node, which are registered again whenever the engine asks for it, as the edge does. */
class Sockets extends RecordingInbox {
  readonly all: readonly OpenSocket[];
  #engine!: Engine;
  #rebuilding: Promise<void> = Promise.resolve();

  constructor(users: readonly string[]) {
    super();
    this.all = users.map((user) => new OpenSocket(user));
  }

  async open(engine: Engine): Promise<void> {
    this.#engine = engine;
    await engine.start(this);
    for (const socket of this.all) await socket.register(engine);
  }

  override deliver(message: StreamMessage): void {
    super.deliver(message);
    for (const socket of this.all) socket.deliver(message);
  }

  override async rebuild(loss: ContinuityLoss): Promise<void> {
    for (const socket of this.all) socket.hold();
    await super.rebuild(loss);
    this.#rebuilding = this.#rebuilding.then(() => this.#registerAll());
    await this.#rebuilding;
  }

  async #registerAll(): Promise<void> {
    for (const socket of this.all) await insist(() => socket.registerAgain(this.#engine));
  }
}

/** A Kafka partition with one record after the other, each for all users; what fails is tried again, as a router does. */
class Lane {
  readonly published: string[] = [];
  readonly #engine: Engine;
  readonly #users: readonly string[];
  /** Of the call before, -1 behind one that failed. */
  #previousOffset = -1;
  #ended = false;
  #running: Promise<void> | null = null;

  constructor(engine: Engine, users: readonly string[]) {
    this.#engine = engine;
    this.#users = users;
  }

  run(): void {
    this.#running = (async () => {
      while (!this.#ended) await this.next();
    })();
  }

  async end(): Promise<void> {
    this.#ended = true;
    await this.#running;
  }

  async next(): Promise<void> {
    const offset = this.published.length;
    const text = `record ${offset}`;
    const items = this.#users.map((user) => item(user, text, offset));
    await insist(async () => {
      const source = { topic: 't', partition: 0, previousOffset: this.#previousOffset, lastOffset: offset };
      this.#previousOffset = -1;
      await this.#engine.publish({ source, items });
    });
    this.#previousOffset = offset;
    this.published.push(text);
  }
}

/** What fails may be tried again in a moment, unless the test is over; a defect of ours may not. */
async function insist(action: () => Promise<unknown>): Promise<void> {
  for (;;) {
    try {
      await action();
      return;
    } catch (error) {
      const { code, retryable } = error as EngineError;
      if (code === 'stopped') return;
      if (!retryable) throw error;
    }
    await delay(RETRY_MS);
  }
}
