import type { Engine } from '@ws-gateway/core';
import { Clock } from './clock.js';
import { Device, type Command, type Positions } from './device.js';
import { ModelNode } from './model-node.js';
import { KEYS, quotesOf, someKeys, USERS, type User } from './scenario.js';
import { ModelPartition, RecordLog } from './record-log.js';

/** What an engine brings to the model. */
export interface ModelHarness {
  /** Creates a node on the harness' store without starting it. */
  createEngine(node: string): Promise<Engine>;
  /** Ends a node as SIGKILL would: it releases nothing. Left out where a store does not outlive its node. */
  kill?(engine: Engine): Promise<void>;
  /** Called after the engines have been stopped. */
  stop(): Promise<void>;
}

/** Number of subscribers from which the transport's own fan-out is used. */
const MANY = 17;
const ANSWER_MS = 10_000;
const NOTHING: Positions = new Map();

/** Nodes, the records for them, and the devices of a few users. */
export class Model {
  readonly clock = new Clock();
  readonly log = new RecordLog(this.clock);
  readonly devices: Device[] = [];
  readonly nodes: readonly ModelNode[];
  readonly #harness: ModelHarness;
  /** One partition for each user, and one for what is for all. */
  readonly #lanes: readonly ModelPartition[];
  readonly #handshakes = new Map<Device, Promise<void>>();

  private constructor(nodes: readonly ModelNode[], harness: ModelHarness) {
    this.nodes = nodes;
    this.#harness = harness;
    this.#lanes = [...USERS, 'all'].map(
      (_, partition) => new ModelPartition(partition, nodes[partition % nodes.length]!),
    );
  }

  static async start(harness: ModelHarness, nodeCount: number): Promise<Model> {
    const names = Array.from({ length: nodeCount }, (_, at) => `n${at}`);
    const nodes = await Promise.all(names.map(async (name) => new ModelNode(name, await harness.createEngine(name))));
    await Promise.all(nodes.map((node) => node.start()));
    return new Model(nodes, harness);
  }

  async stop(): Promise<void> {
    await Promise.all(this.liveNodes.map(({ engine }) => engine.stop()));
    await this.#harness.stop();
  }

  get liveNodes(): ModelNode[] {
    return this.nodes.filter(({ alive }) => alive);
  }

  connect(n: number, at: number): void {
    this.#connect(userOf(n), at, NOTHING, { keys: someKeys(n + at) });
  }

  /** Connects a device with the positions of any earlier connection, open or not, to any node. */
  resume(n: number, at: number): void {
    const before = pick(this.devices, n);
    if (before !== undefined) this.#connect(before.user, at, before.positions());
  }

  /** Connects many devices at once with one position, as clients do after the end of their node. */
  connectMany(n: number, at: number): void {
    const before = pick(this.devices, n);
    for (let i = 0; i < MANY; i++) this.#connect(before?.user ?? userOf(n), at, before?.positions() ?? NOTHING);
  }

  /** Connects a client that leaves before the upgrade is complete. */
  abort(n: number, at: number): void {
    this.#connect(userOf(n), at, NOTHING, { abort: true });
  }

  cut(n: number): void {
    pick(this.#open(), n)?.disconnect();
  }

  request(command: Command, n: number): void {
    pick(
      this.#open().filter(({ connected, pending }) => connected && pending === null),
      n,
    )?.request(command, someKeys(n));
  }

  toUser(n: number): void {
    this.log.toUser(this.#laneOf(userOf(n)), userOf(n), 1 + (n % 4));
  }

  toEverybody(n: number): void {
    this.log.toEverybody(this.#lanes.at(-1)!, 1 + (n % 4));
  }

  toRoom(n: number): void {
    this.log.toRoom(this.#lanes.at(-1)!, 1 + (n % 4));
  }

  toKey(n: number): void {
    this.log.toKey(this.#lanes.at(-1)!, pick(KEYS, n)!, 1 + (n % 4));
  }

  block(n: number, blocked: boolean): void {
    this.log.block(this.#laneOf(userOf(n)), userOf(n), blocked ? { reason: 'why not', expiresAtMs: null } : null);
  }

  /** Moves a partition to a node, which publishes some records again. */
  rebalance(n: number, at: number): void {
    pick(this.#lanes, n)!.takeOver(pick(this.liveNodes, at)!, n);
  }

  async kill(at: number): Promise<void> {
    const { liveNodes } = this;
    if (this.#harness.kill === undefined || liveNodes.length === 1) return;
    const node = pick(liveNodes, at)!;
    node.alive = false;
    for (const device of this.devices) if (device.node === node) device.lost();
    await this.#harness.kill(node.engine);
    for (const lane of this.#lanes) if (lane.node === node) lane.takeOver(this.liveNodes[0]!, 0);
  }

  /** Resolves when everything that was begun is done and everything that was published has arrived. */
  async rest(): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane.settle()));
    const handshakes = [...this.#handshakes].filter(([{ node }]) => node.alive);
    await Promise.all(handshakes.map(([, handshake]) => handshake));
    await this.#answers();
    const text = `barrier ${this.clock.tick()}`;
    await Promise.all(this.liveNodes.map((node) => node.reached(node.engine, `${text} ${node.name}`)));
    // Sockets that the last batch closed report their end within these turns.
    for (let at = 0; at < 3; at++) await turn();
    this.log.delivered();
  }

  /** Connects once more at the end, to see whether the user is let in now. */
  async probe(user: User): Promise<Device> {
    const device = this.#connect(user, 0, NOTHING);
    await this.#handshakes.get(device);
    return device;
  }

  #connect(
    user: User,
    at: number,
    brought: Positions,
    {
      abort = false,
      keys = KEYS.filter((key) => brought.has(quotesOf(key))),
    }: { abort?: boolean; keys?: string[] } = {},
  ): Device {
    const device = new Device({ node: pick(this.liveNodes, at)!, user, keys, clock: this.clock }, brought);
    this.devices.push(device);
    const handshake = device.connect({ abort });
    this.#handshakes.set(device, handshake);
    // `rest` reports a failure.
    handshake.catch(() => undefined);
    return device;
  }

  /** Polls with each turn of the loop: thousands of runs cannot wait for timers. */
  async #answers(): Promise<void> {
    const deadline = Date.now() + ANSWER_MS;
    while (this.#open().some(({ pending }) => pending !== null)) {
      if (Date.now() > deadline) throw new Error('a request is not answered');
      await turn();
    }
  }

  #open(): Device[] {
    return this.devices.filter(({ open }) => open);
  }

  #laneOf(user: User): ModelPartition {
    return this.#lanes[USERS.indexOf(user)]!;
  }
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

function userOf(n: number): User {
  return pick(USERS, n)!;
}

function pick<Item>(items: readonly Item[], n: number): Item | undefined {
  return items[n % Math.max(1, items.length)];
}
