import { EngineError, type Inbox, type Logger, type NodeRow, type NodeStatus } from '@ws-gateway/core';
import { newIdentity } from './epoch.js';
import type { InboxReader } from './inbox-reader.js';
import type { Keys } from './keys.js';
import { newLife } from './node-names.js';
import type { Settings } from './options.js';
import type { Reaper } from './reaper.js';
import type { ScriptLink } from './script-link.js';

/** Without a refresh for so long the node does not count as registered any more. */
const STALE_MS = 3000;

interface MembershipParts {
  readonly link: ScriptLink;
  readonly reader: InboxReader;
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
  /** The Redis process that has this node's rows for sure. */
  #server = '';
  #joined = false;
  #refreshedMs = -Infinity;
  #checking: Promise<void> | null = null;
  #statusJson: string;

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

  report(status: NodeStatus): void {
    this.#statusJson = JSON.stringify({ ...status, node: this.#settings.node } satisfies NodeRow);
  }

  /** Nothing is known of the registration until the next check: the connection broke. */
  doubt(): void {
    this.#refreshedMs = -Infinity;
  }

  /** Registers under a new name. Messages for this node published from resolution on will arrive. */
  async join(): Promise<void> {
    const { link, reader, keys } = this.#parts;
    this.#joined = false;
    this.#name = newLife(this.#settings.node, this.#settings.role);
    this.#server = link.server;
    // The lease first: an inbox without a lease would never be reaped.
    await this.#lease(true);
    // A router is told what concerns all nodes or it alone, which goes by the partition that lists the nodes.
    const count = this.#settings.role === 'router' ? 1 : keys.partitions;
    const partitions = Array.from({ length: count }, (_, p) => p);
    this.#datasets = await Promise.all(
      partitions.map((partition) => {
        const openKeys = [keys.key(partition, 'SEQUENCE', this.#name), keys.key(partition, 'DATASET')];
        return link.run<string>('open-inbox', { keys: openKeys, args: [newIdentity()] });
      }),
    );
    reader.follow(partitions.map((partition) => keys.key(partition, 'INBOX', this.#name)));
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
    const startedMs = performance.now();
    try {
      const { server } = this.#parts.link;
      const { loss, sequences } = this.#joined ? await this.#refresh() : { loss: 'other' as const, sequences: [] };
      if (loss === null) {
        if (server !== this.#server) await this.#renewRows(server, sequences);
        this.#refreshedMs = performance.now();
      } else await this.#rejoin(loss);
    } catch (error) {
      // A connection that is open and silent would stay so for many minutes.
      const silent = performance.now() - startedMs >= this.#settings.callTimeoutMs;
      if (silent && this.#parts.link.ready) this.#parts.link.reconnect();
      throw error;
    }
  }

  /** A Redis that was started again, or another one that took over, may lack rows that were written last. */
  async #renewRows(server: string, sequences: readonly number[]): Promise<void> {
    // What is in the inboxes from before bears epochs of before: it must not come to a socket that has read on.
    await this.#parts.reader.reach(sequences);
    this.#server = server;
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

  /** Says how the registration was lost, null when it was not, and how far the inboxes go. */
  async #refresh(): Promise<{ loss: Loss | null; sequences: number[] }> {
    const [lease, ...inboxes] = await Promise.all([
      this.#lease(false),
      ...this.#parts.reader.inboxes.map(({ processed }, partition) => this.#checkInbox(partition, processed)),
    ]);
    let emptied = 0;
    let lost = lease === 0;
    for (const [partition, { sequence, dataset, processed }] of inboxes.entries()) {
      if (dataset !== this.#datasets[partition]) emptied++;
      // Behind what was processed: Redis came back with older data.
      if (sequence === '' || Number(sequence) < processed) lost = true;
    }
    const loss = emptied === inboxes.length && emptied > 0 ? 'emptied' : 'other';
    return { loss: lost ? loss : null, sequences: inboxes.map(({ sequence }) => Number(sequence)) };
  }

  #lease(register: boolean): Promise<number> {
    const { link, keys } = this.#parts;
    const leaseKeys = [keys.key(0, 'NODES'), keys.key(0, 'STATUS', this.#name)];
    const args = [this.#name, this.#settings.leaseMs, this.#statusJson, register ? '1' : ''];
    return link.run<number>('lease', { keys: leaseKeys, args });
  }

  async #checkInbox(partition: number, processed: number) {
    const { link, keys } = this.#parts;
    const inboxKeys = [
      keys.key(partition, 'SEQUENCE', this.#name),
      keys.key(partition, 'INBOX', this.#name),
      keys.key(partition, 'DATASET'),
    ];
    const [sequence, dataset] = await link.run<[string, string]>('check-inbox', {
      keys: inboxKeys,
      args: [processed],
    });
    return { sequence, dataset, processed };
  }
}

/** `emptied`: Redis came back without its data. `other`: the lease ran out, or a part of the data is gone. */
type Loss = 'emptied' | 'other';

export function notRegistered(): EngineError {
  return new EngineError('unavailable', 'this node is registering again');
}
