import { EngineError, type Inbox, type Logger, type NodeRow, type NodeStatus } from '@ws-gateway/core';
import type { Calls } from './calls.js';
import { randomId } from './epoch.js';
import type { InboxReaders } from './inbox-readers.js';
import type { Keys } from './keys.js';
import { newIncarnation } from './node-names.js';
import type { Settings } from './options.js';
import type { Reaper } from './reaper.js';

/** Without a refresh for so long the node does not count as registered any more. */
const STALE_MS = 3000;

interface MembershipParts {
  readonly calls: Calls;
  readonly readers: InboxReaders;
  readonly keys: Keys;
  readonly reaper: Reaper;
}

/**
 * This node's registration: lease, inboxes, status. Refreshed every second, which also trims the inboxes and finds out
 * when Redis has forgotten the node.
 */
export class Membership {
  readonly #parts: MembershipParts;
  readonly #logger: Logger;
  readonly #settings: Settings;
  readonly #inbox: Inbox;
  #name = '';
  /** Identity of the data set of each partition when the inbox was opened. */
  #datasets: string[] = [];
  /** The Redis process of each partition that has this node's rows for sure. */
  #servers: string[] = [];
  #joined = false;
  #refreshedMs = -Infinity;
  #checking: Promise<void> | null = null;
  #statusJson: string;
  #draining = false;

  constructor(
    parts: MembershipParts,
    { logger, inbox }: { logger: Logger; inbox: Inbox },
    { settings, status }: { settings: Settings; status: NodeStatus },
  ) {
    this.#parts = parts;
    this.#logger = logger;
    this.#inbox = inbox;
    this.#settings = settings;
    this.#statusJson = JSON.stringify({ ...status, node: settings.node });
  }

  /** The node's name in rows; another one after each registration. */
  get name(): string {
    return this.#name;
  }

  get current(): boolean {
    return this.#joined && performance.now() - this.#refreshedMs < STALE_MS;
  }

  /** Told with the next refresh; that the node drains is told at once. */
  report(status: NodeStatus): void {
    const begins = status.draining && !this.#draining;
    this.#draining = status.draining;
    this.#statusJson = JSON.stringify({ ...status, node: this.#settings.node } satisfies NodeRow);
    // A failure is made up for by the next refresh.
    if (begins && this.#joined) this.check().catch(() => undefined);
  }

  /** Nothing is known of the registration until the next check: the connection broke. */
  doubt(): void {
    this.#refreshedMs = -Infinity;
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
    this.#datasets = await Promise.all(
      partitions.map((partition) => {
        const openKeys = [keys.key(partition, 'SEQUENCE', this.#name), keys.key(partition, 'DATASET')];
        return this.#parts.calls.of(partition).run<string>('open-inbox', { keys: openKeys, args: [randomId()] });
      }),
    );
    readers.follow(partitions.map((partition) => keys.key(partition, 'INBOX', this.#name)));
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

  async #check(): Promise<void> {
    const { calls, keys } = this.#parts;
    const servers = keys.all().map((p) => calls.of(p).server);
    const state = this.#joined ? await this.#refresh() : NOT_JOINED;
    if (state.loss !== null) await this.#rejoin(state.loss);
    else {
      const isNew = (p: number): boolean => state.sequences[p] !== UNKNOWN && servers[p] !== this.#servers[p];
      const renewed = [...state.sequences.keys()].filter(isNew);
      if (renewed.length > 0) await this.#renewRows(state.sequences);
      for (const p of renewed) this.#servers[p] = servers[p]!;
      // What could be done for the other partitions is done.
      if (state.failure !== null) throw state.failure;
      this.#refreshedMs = performance.now();
    }
  }

  /** A Redis that was started again, or another one that took over, may lack rows that were written last. */
  async #renewRows(sequences: readonly number[]): Promise<void> {
    // What is in the inboxes from before bears epochs of before: it must not come to a socket that has read on.
    await this.#parts.readers.reach(sequences);
    this.#logger.warn('another redis process, writing rows again', {});
    this.#inbox.rebuild();
  }

  async #rejoin(loss: Loss): Promise<void> {
    this.#logger.warn('registration lost, registering again', { loss });
    const before = this.#name;
    await this.join();
    if (loss !== 'emptied') {
      // Parts of the old registration may be left.
      await this.#parts.reaper.retire(before, 0);
      this.#inbox.resync('registration lost');
    }
    this.#inbox.rebuild();
  }

  async #refresh(): Promise<Registration> {
    const inboxes = this.#parts.readers.inboxes.map(({ processed }, p) => this.#checkInbox(p, processed));
    const [lease, ...answers] = await Promise.allSettled([this.#lease(false), ...inboxes]);
    const failed = [lease, ...answers].find((result) => result.status === 'rejected');
    let emptied = 0;
    let lost = lease.status === 'fulfilled' && lease.value === 0;
    const sequences = answers.map((answer, partition) => {
      if (answer.status === 'rejected') return UNKNOWN;
      const { sequence, dataset, processed } = answer.value;
      if (dataset !== this.#datasets[partition]) emptied++;
      // Behind what was processed: Redis came back with older data.
      if (sequence === '' || Number(sequence) < processed) lost = true;
      return Number(sequence);
    });
    const loss = emptied === answers.length && emptied > 0 ? 'emptied' : 'other';
    return { loss: lost ? loss : null, sequences, failure: failed === undefined ? null : failed.reason };
  }

  #lease(register: boolean): Promise<number> {
    const { keys, calls } = this.#parts;
    const leaseKeys = [keys.key(0, 'NODES'), keys.key(0, 'STATUS', this.#name)];
    const args = [this.#name, this.#settings.leaseMs, this.#statusJson, register ? '1' : ''];
    return calls.of(0).run<number>('lease', { keys: leaseKeys, args });
  }

  async #checkInbox(partition: number, processed: number) {
    const { keys, calls } = this.#parts;
    const inboxKeys = [
      keys.key(partition, 'SEQUENCE', this.#name),
      keys.key(partition, 'INBOX', this.#name),
      keys.key(partition, 'DATASET'),
    ];
    const call = { keys: inboxKeys, args: [processed] };
    const [sequence, dataset] = await calls.of(partition).run<[string, string]>('check-inbox', call);
    return { sequence, dataset, processed };
  }
}

/** Nothing was heard of a partition's inbox. */
const UNKNOWN = -1;

interface Registration {
  /** How it was lost; null: it was not. */
  readonly loss: Loss | null;
  /** How far the inbox of each partition goes. */
  readonly sequences: readonly number[];
  /** Why something is unknown, if it is. */
  readonly failure: unknown;
}

const NOT_JOINED: Registration = { loss: 'other', sequences: [], failure: null };

/** `emptied`: Redis came back without its data. `other`: the lease ran out, or a part of the data is gone. */
type Loss = 'emptied' | 'other';

export function notRegistered(): EngineError {
  return new EngineError('unavailable', 'this node is registering again');
}
