import {
  endByDefect,
  EngineError,
  LeaseObserver,
  userOfStream,
  type Inbox,
  type Life,
  type Logger,
  type NodeRow,
  type NodeStatus,
  type ShownLease,
} from '@ws-gateway/core';
import type { Calls } from './calls.js';
import type { InboxReaders } from './inbox-readers.js';
import type { Keys } from './keys.js';
import type { Layout } from './layout.js';
import { newIncarnation } from './node-names.js';
import type { Settings } from './options.js';
import { OwnInboxes } from './own-inboxes.js';
import type { OwnRows } from './own-rows.js';
import type { Reaper } from './reaper.js';
import type { RecentRecords } from './recent-records.js';
import { othersIn, placesOf, UNKNOWN, type InboxState, type LeaseState, type Refresh } from './refresh.js';

/** Time in ms without a refresh after which the node does not count as registered any more. */
const STALE_MS = 3000;
/** Leases looked at with each refresh. A dead node's is among those refreshed longest ago. */
const LEASES_SHOWN = 32;
/** Refreshes between two looks that count at most: a node cannot refresh more often than that. */
const REFRESHES_PER_LOOK = 2;
/** Lease times until others may take away what a node left under its name of before. */
const OWN_CLAIM_LEASES = 6;

interface MembershipParts {
  readonly calls: Calls;
  readonly readers: InboxReaders;
  readonly keys: Keys;
  readonly reaper: Reaper;
  readonly ownRows: OwnRows;
  readonly layout: Layout;
  readonly recent: RecentRecords;
}

/**
 * This node's registration: lease, inboxes, status. Refreshed every second, which also trims the inboxes, shows who is
 * dead, and finds out when Redis has forgotten the node. What was lost is repaired for each Redis partition by itself.
 */
export class Membership {
  readonly #parts: MembershipParts;
  readonly #logger: Logger;
  readonly #settings: Settings;
  readonly #inbox: Inbox;
  readonly #observer: LeaseObserver;
  readonly #inboxes: OwnInboxes;
  #name = '';
  /** Identity of the data set of each partition when the inbox was opened. */
  #datasets: string[] = [];
  /** The Redis process of each partition that has this node's rows for sure. */
  #servers: string[] = [];
  #joined = false;
  #refreshedMs = -Infinity;
  /** Time at which the lease alone was refreshed, which lies in one partition. */
  #leasedMs = -Infinity;
  #checking: Promise<void> | null = null;
  #statusJson: string;
  #draining = false;
  /** Partitions that a registration which failed half way leaves to the next one; null: there was none. */
  #owed: Omit<Repair, 'broken'> | null = null;
  #dead: ShownLease | null = null;
  #nodeCount = 1;
  #isSharing = false;
  /** Nodes that somebody doubts, by how many do: looked at whatever their leases. */
  readonly #doubted = new Map<string, number>();
  #showing: Promise<void> | null = null;
  #showsAgain = false;

  constructor(
    parts: MembershipParts,
    { logger, inbox }: { logger: Logger; inbox: Inbox },
    { settings, status }: { settings: Settings; status: NodeStatus },
  ) {
    this.#parts = parts;
    this.#logger = logger;
    this.#inbox = inbox;
    this.#settings = settings;
    this.#inboxes = new OwnInboxes(parts, settings);
    const { leaseMs, refreshMs } = settings;
    this.#observer = new LeaseObserver({ leaseMs, lookMsMax: REFRESHES_PER_LOOK * refreshMs });
    this.#statusJson = JSON.stringify({ ...status, node: settings.node });
  }

  /** The node's name in rows; another one after each registration. */
  get name(): string {
    return this.#name;
  }

  /** Identity of the data set of the partition that every node has an inbox in. */
  get dataset(): string {
    return this.#datasets[0] ?? '';
  }

  get current(): boolean {
    return this.#joined && performance.now() - this.#refreshedMs < STALE_MS;
  }

  /** Tells whether the lease holds and others can be judged by theirs, whatever became of the other partitions. */
  get observes(): boolean {
    return this.#joined && performance.now() - this.#leasedMs < STALE_MS;
  }

  /**
   * Redis has just taken a row of this node, so it is registered. In a storm of handshakes the refresh comes late, and
   * thousands of clients were refused for it while others were let in. With several partitions one says nothing of the others.
   */
  confirmed(): void {
    if (this.#parts.keys.partitions === 1 && this.current) this.#refreshedMs = performance.now();
  }

  /** Nodes that were registered at the last refresh. */
  get nodeCount(): number {
    return this.#nodeCount;
  }

  /**
   * Tells whether all nodes know of the shared log. One of a release before says of no batch behind which batch of the log it
   * came.
   */
  get isSharing(): boolean {
    return this.#isSharing && this.observes;
  }

  /** A node that the last refresh showed to be dead. */
  get dead(): ShownLease | null {
    return this.#dead;
  }

  /** Sets the status, which the next refresh tells; that the node drains is told at once. */
  report(status: NodeStatus): void {
    const begins = status.draining && !this.#draining;
    this.#draining = status.draining;
    this.#statusJson = JSON.stringify({ ...status, node: this.#settings.node } satisfies NodeRow);
    // A failure is made up for by the next refresh.
    if (begins && this.#joined) this.check().catch(() => undefined);
  }

  /** Doubts the registration until the next check, and where that is the one with the leases the other nodes: a connection broke. */
  doubt(partition: number): void {
    this.#refreshedMs = -Infinity;
    if (partition === 0) this.#interruptObserver();
  }

  /** Has these nodes looked at with each look, until what it returns is called. */
  watch(nodes: readonly string[]): () => void {
    for (const node of nodes) this.#doubted.set(node, (this.#doubted.get(node) ?? 0) + 1);
    return () => {
      for (const node of nodes) {
        const left = this.#doubted.get(node)! - 1;
        if (left > 0) this.#doubted.set(node, left);
        else this.#doubted.delete(node);
      }
    };
  }

  /** Looks at the others' leases out of turn, and refreshes the own one. Rejects when the store does not take that. */
  async look(): Promise<void> {
    const state = await this.#lease(false).catch((error: unknown) => {
      this.#interruptObserver();
      throw error;
    });
    // The next check registers it again; until then nobody is judged.
    if (state !== 'held') throw notRegistered();
  }

  /** A node's lease as the last look showed it; null: it was not among those shown. */
  lifeOf(node: string): Life | null {
    return this.#observer.lifeOf(node);
  }

  /** Somebody doubts that this node lives. Never rejects. */
  showLife(): void {
    this.#showsAgain = this.#showing !== null;
    this.#showing ??= this.look()
      .catch(() => undefined)
      .finally(() => {
        this.#showing = null;
        if (this.#showsAgain) this.showLife();
      });
  }

  /** Registers under a new name. Messages for this node published from resolution on will arrive. */
  async join(): Promise<void> {
    const { calls, readers, keys } = this.#parts;
    this.#joined = false;
    this.#name = newIncarnation(this.#settings.node, this.#settings.role);
    this.#servers = keys.all().map((p) => calls.of(p).server);
    // The lease first: an inbox without a lease would never be reaped.
    await this.#lease(true);
    // A router is told what concerns all nodes or it alone, which goes by the partition that lists the nodes.
    const partitions = this.#settings.role === 'router' ? [0] : keys.all();
    const opened = await Promise.all(partitions.map((partition) => this.#inboxes.open(this.#name, partition)));
    const datasets = opened.map(({ dataset }) => dataset);
    // Before the first message of the new data comes.
    this.#loseStreams(partitions.filter((_, p) => (this.#datasets[p] ?? datasets[p]) !== datasets[p]));
    this.#datasets = datasets;
    readers.follow(opened.map(({ place }) => place));
    this.#joined = true;
    this.#refreshedMs = performance.now();
  }

  /** Refreshes, and registers again when the registration is gone. Calls at the same time share one check. */
  check(): Promise<void> {
    this.#checking ??= this.#check().finally(() => (this.#checking = null));
    return this.#checking;
  }

  async leave(): Promise<void> {
    // It may be registering again just now; a failure of that has been told by whoever asked.
    if (this.#checking !== null) await Promise.allSettled([this.#checking]);
    if (!this.#joined) return;
    this.#joined = false;
    await this.#parts.reaper.retire(this.#name, this.#settings.leaseMs);
    await this.#parts.reaper.clear(this.#name);
  }

  /** Batches of this inbox were dropped, or given their numbers a second time, before they were read. */
  inboxLost(key: string): void {
    const partition = this.#inboxes.partitionOf(this.#name, key);
    if (partition < 0) return;
    this.#repair('inbox batches lost', { broken: [partition], missed: [partition] }).catch(endByDefect);
  }

  /** Called when so much was read from this inbox that Redis must hear of it before the next refresh. */
  inboxSwallowed(key: string): void {
    const partition = this.#inboxes.partitionOf(this.#name, key);
    if (partition >= 0 && this.#joined) this.#inboxes.check(this.#name, partition).catch(() => undefined);
  }

  async #check(): Promise<void> {
    const { calls, keys } = this.#parts;
    if (!this.#joined) return this.#registerAgain('not registered', this.#owed ?? { missed: keys.all() });
    const servers = keys.all().map((p) => calls.of(p).server);
    const { lease, states, failure } = await this.#refresh();
    const lost = placesOf(states, 'lost');
    const emptied = placesOf(states, 'emptied');
    if (lease === 'reaped' || (lease === 'gone' && this.#isGoneEverywhere(states))) {
      const missed = keys.all().filter((p) => !emptied.includes(p));
      return this.#registerAgain('registration lost', { missed, reaped: emptied.length === 0 });
    }
    // The other partitions know this node: the one that lists the nodes has forgotten it.
    if (lease === 'gone') await this.#lease(true);
    const renewed = placesOf(states, 'known').filter((p) => servers[p] !== this.#servers[p]);
    if (renewed.length > 0) await this.#reach(states, renewed);
    if (emptied.includes(0)) await this.#parts.layout.check();
    if (lost.length + emptied.length > 0) await this.#openAgain([...lost, ...emptied]);
    const broken = [...lost, ...emptied, ...renewed];
    for (const p of broken) this.#servers[p] = servers[p]!;
    if (broken.length > 0) this.#repair('rows or messages lost in redis', { broken, missed: lost }).catch(endByDefect);
    // What could be done for the other partitions is done.
    if (failure !== null) throw failure;
    this.#refreshedMs = performance.now();
  }

  /** The node was taken for dead, or nothing of it is left: it begins a new life, so that nobody reaps its new rows. */
  async #registerAgain(reason: string, owed: Omit<Repair, 'broken'>): Promise<void> {
    const { keys, reaper } = this.#parts;
    const before = this.#name;
    this.#logger.warn('registering again', { reason });
    this.#owed = owed;
    await this.#parts.layout.check();
    await this.join();
    this.#owed = null;
    const repaired = this.#repair(reason, { ...owed, broken: keys.all() });
    // What is left under the name of before are rows of connections that ended meanwhile. Their end has been told, so they
    // must not expire; should this process die as well, others take them away.
    await reaper.retire(before, OWN_CLAIM_LEASES * this.#settings.leaseMs);
    repaired.then(() => reaper.clear(before)).catch(() => undefined);
  }

  /**
   * Waits until the inboxes are read. What is in them from before bears epochs of before: it must not come to a socket
   * that has read on.
   */
  async #reach(states: readonly InboxState[], partitions: readonly number[]): Promise<void> {
    const nothing = { sequence: UNKNOWN, shared: UNKNOWN };
    await this.#parts.readers.reach(states.map((state, p) => (partitions.includes(p) ? state : nothing)));
  }

  async #openAgain(partitions: readonly number[]): Promise<void> {
    const opened = await Promise.all(partitions.map((p) => this.#inboxes.open(this.#name, p)));
    this.#loseStreams(partitions.filter((p, at) => this.#datasets[p] !== opened[at]!.dataset));
    for (const [at, { dataset }] of opened.entries()) this.#datasets[partitions[at]!] = dataset;
    this.#parts.readers.startOver(opened.map(({ place }) => place));
  }

  /** What lay in these partitions is gone. */
  #loseStreams(emptied: readonly number[]): void {
    if (emptied.length === 0) return;
    const { keys, recent } = this.#parts;
    // What goes to all connections is noted under no name.
    const placeOf = (stream: string): number => keys.partitionOf(userOfStream(stream) ?? stream);
    recent.loseStreams((stream) => stream === '' || emptied.includes(placeOf(stream)));
  }

  async #repair(reason: string, { broken, missed, reaped = false }: Repair): Promise<void> {
    const { keys, ownRows } = this.#parts;
    this.#logger.warn('writing rows again', { reason, partitions: broken.length, incomplete: missed.length });
    ownRows.doubt(broken);
    const isIn = (partitions: readonly number[]) => (place: string) => partitions.includes(keys.partitionOf(place));
    try {
      await this.#inbox.rebuild({ reason, concerns: isIn(broken), missed: isIn(missed), reaped });
      ownRows.written(broken);
    } catch (error) {
      this.#logger.error('rows could not be written again', { error });
    }
  }

  async #refresh(): Promise<Refresh> {
    const [lease, ...answers] = await Promise.allSettled([
      this.#lease(false).catch((error: unknown) => {
        this.#interruptObserver();
        throw error;
      }),
      ...this.#datasets.map((_, p) => this.#inboxes.check(this.#name, p)),
    ]);
    const failed = [lease, ...answers].find((result) => result.status === 'rejected');
    const states = answers.map((answer, partition): InboxState => {
      if (answer.status === 'rejected') return { kind: 'unknown', sequence: UNKNOWN, shared: UNKNOWN };
      const { dataset, sequence, taken, shared, sharedTaken } = answer.value;
      if (dataset !== this.#datasets[partition]) return { kind: 'emptied', sequence, shared };
      // Behind what was taken from it: Redis came back with older data.
      return { kind: sequence < taken || shared < sharedTaken ? 'lost' : 'known', sequence, shared };
    });
    return {
      lease: lease.status === 'rejected' ? 'unknown' : lease.value,
      states,
      failure: failed === undefined ? null : failed.reason,
    };
  }

  /**
   * Tells whether no inbox is left of a node that has no lease. With one partition there is nothing to compare with.
   */
  #isGoneEverywhere(states: readonly InboxState[]): boolean {
    return states.length === 1 || states.some(({ kind }, p) => p > 0 && (kind === 'lost' || kind === 'emptied'));
  }

  async #lease(registers: boolean): Promise<LeaseState> {
    const { keys, calls } = this.#parts;
    const status = keys.key(0, 'STATUS', this.#name);
    const leaseKeys = [keys.key(0, 'NODES'), status, keys.key(0, 'DEAD'), keys.key(0, 'SHARING')];
    const { leaseMs } = this.#settings;
    const doubted = [...this.#doubted.keys()];
    const args = [this.#name, leaseMs, this.#statusJson, registers ? '1' : '', LEASES_SHOWN, ...doubted];
    const call = { keys: leaseKeys, args };
    const reply = await calls.of(0).run<[number, number, number, ...string[]]>('lease', call);
    const [state, nodeCount, isSharing, ...shown] = reply;
    if (state !== 1) return state === 0 ? 'gone' : 'reaped';
    this.#nodeCount = nodeCount;
    this.#isSharing = isSharing === 1;
    this.#leasedMs = performance.now();
    this.#dead = this.#observer.look(othersIn(shown, this.#name), performance.now())[0] ?? null;
    return 'held';
  }

  #interruptObserver(): void {
    this.#dead = null;
    this.#leasedMs = -Infinity;
    this.#observer.interrupt();
  }
}

/** Partitions whose rows are written again, and those of them whose messages may not have come to this node. */
interface Repair {
  readonly broken: readonly number[];
  readonly missed: readonly number[];
  /** Others took this node for dead. */
  readonly reaped?: boolean;
}

export function notRegistered(): EngineError {
  return new EngineError('unavailable', 'this node is registering again');
}
