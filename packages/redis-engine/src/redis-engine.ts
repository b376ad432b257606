import {
  endByDefect,
  EngineError,
  initialStatus,
  nothingTraced,
  publishTraced,
  type AdmitRequest,
  type AdmitResult,
  type Block,
  type BlockedUser,
  type BlockWord,
  type ControlTarget,
  type Engine,
  type Erased,
  type HistoryPage,
  type Inbox,
  type NodeCommand,
  type NodeRow,
  type NodeStatus,
  type Position,
  type PresenceRow,
  type PublishBatch,
  type PublishResult,
  type ReleasedConnection,
  type RetainedStream,
  type Revocation,
  type RouterBeat,
  type ShownBeat,
  type SourceClaim,
  type SourcePosition,
  type TopicSight,
} from '@ws-gateway/core';
import type { Redis } from 'ioredis';
import { Blocks } from './blocks.js';
import { Calls } from './calls.js';
import { History } from './history.js';
import type { InboxListener } from './batch-queue.js';
import { EvictionPolicies } from './eviction-policies.js';
import { InboxReaders } from './inbox-readers.js';
import { storeName } from './epoch.js';
import { InterestRows } from './interest-rows.js';
import { Keys } from './keys.js';
import { Layout } from './layout.js';
import { Membership } from './membership.js';
import { NodeRows } from './node-rows.js';
import { OutcomeLedger } from './outcome-ledger.js';
import { OwnRows } from './own-rows.js';
import { withDefaults, type RedisEngineDependencies, type RedisEngineOptions, type Settings } from './options.js';
import { Publisher } from './publisher.js';
import { Reaper } from './reaper.js';
import { RecentRecords } from './recent-records.js';
import { connected, createClients, type Clients } from './redis-client.js';
import { RouterBeats } from './router-beats.js';
import { ScriptLink } from './script-link.js';
import { loadScripts } from './scripts.js';
import { PresenceRegistry } from './presence-registry.js';
import { SilentNodes } from './silent-nodes.js';
import { TopReads } from './top-reads.js';

interface Parts {
  readonly clients: Clients;
  readonly keys: Keys;
  readonly calls: Calls;
  /** The same as `calls`, or links of their own (redis-client.ts). */
  readonly publishing: Calls;
  readonly readers: InboxReaders;
  readonly reaper: Reaper;
  readonly membership: Membership;
  readonly history: History;
  readonly tops: TopReads;
  readonly blocks: Blocks;
  readonly publisher: Publisher;
  readonly sessions: PresenceRegistry;
  readonly nodeRows: NodeRows;
  readonly beats: RouterBeats;
  readonly interestRows: InterestRows;
  readonly recent: RecentRecords;
  readonly ownRows: OwnRows;
  readonly layout: Layout;
}

/**
 * Engine over Redis: a Lua script for each verb, one connection for calls and two for what arrives (inbox-reader.ts); in a
 * cluster as many for each partition (redis-client.ts).
 *
 * Redis away: calls reject at once with `unavailable`, `healthy` is false; releases are kept and made up for. Redis back:
 * inboxes are read on, or `rebuild` is called for the partitions where that cannot be. A publish whose outcome is unknown
 * may be repeated when it has a source; without one a repetition may double it.
 */
export class RedisEngine implements Engine {
  readonly #dependencies: RedisEngineDependencies;
  readonly #settings: Settings;
  readonly outcomes: OutcomeLedger;
  #parts: Parts | null = null;
  #timer: NodeJS.Timeout | null = null;
  #status: NodeStatus;
  /** The last lease refresh failed, and the log says so. */
  #unrefreshed = false;

  constructor(dependencies: RedisEngineDependencies, options: RedisEngineOptions) {
    this.#dependencies = dependencies;
    this.#settings = withDefaults(options);
    this.outcomes = new OutcomeLedger(this.#settings.partitions, (action) => this.#started(action));
    this.#status = initialStatus(options.role, Date.now());
  }

  get healthy(): boolean {
    const parts = this.#parts;
    if (parts === null || ![parts.calls, parts.publishing].every(({ ready, identified }) => ready && identified)) {
      return false;
    }
    return parts.readers.ready && parts.membership.current;
  }

  get store(): string {
    const parts = this.#parts;
    return parts === null ? '' : storeName([...parts.calls.servers, parts.membership.dataset]);
  }

  async start(inbox: Inbox): Promise<void> {
    const parts = this.#build(inbox);
    this.#parts = parts;
    try {
      await Promise.all(allOf(parts.clients).map((client) => connected(client, this.#settings.startTimeoutMs)));
      await parts.layout.check();
      await parts.membership.join();
    } catch (error) {
      this.#parts = null;
      parts.calls.stop();
      parts.publishing.stop();
      parts.readers.stop();
      throw error;
    }
    this.#watchConnections(parts);
    this.#timer = setInterval(() => this.#tick(parts), this.#settings.refreshMs);
  }

  async stop(): Promise<void> {
    const parts = this.#parts;
    if (parts === null) return;
    this.#parts = null;
    if (this.#timer !== null) clearInterval(this.#timer);
    try {
      await parts.membership.leave();
    } catch (error) {
      // The lease runs out by itself, and another node reaps.
      this.#dependencies.logger.warn('node left without taking its rows away', { error: String(error) });
    }
    parts.calls.stop();
    parts.publishing.stop();
    parts.readers.stop();
  }

  publish(batch: PublishBatch): Promise<PublishResult> {
    const { tracing = nothingTraced } = this.#dependencies;
    return this.#started((parts) => publishTraced(tracing, batch, (traced) => parts.publisher.publish(traced)));
  }

  sourcePositions(topic: string, partition: number): Promise<readonly SourcePosition[]> {
    return this.#started((parts) => parts.publisher.sources.positions(topic, partition));
  }

  claimSource(topic: string, partition: number, claim: SourceClaim): Promise<boolean> {
    return this.#started((parts) => parts.publisher.sources.claim(topic, partition, claim));
  }

  noteTopics(group: string, sights: readonly TopicSight[]): Promise<readonly TopicSight[]> {
    return this.#started((parts) => parts.publisher.sources.noteTopics(group, sights));
  }

  beat(group: string, beat: RouterBeat | null): Promise<readonly ShownBeat[]> {
    return this.#started((parts) => parts.beats.beat(group, beat));
  }

  endBeat(group: string, shown: ShownBeat): Promise<boolean> {
    return this.#started((parts) => parts.beats.end(group, shown));
  }

  admit(request: AdmitRequest): Promise<AdmitResult> {
    return this.#started((parts) => parts.sessions.admit(request));
  }

  async release(connections: readonly ReleasedConnection[]): Promise<void> {
    await this.#parts?.sessions.release(connections);
  }

  watch(streams: readonly string[]): Promise<void> {
    return this.#started(({ interestRows }) => interestRows.watch(streams));
  }

  unwatch(streams: readonly string[]): Promise<void> {
    return this.#started(({ interestRows }) => interestRows.unwatch(streams));
  }

  positions(streams: readonly RetainedStream[]): Promise<Position[]> {
    return this.#started((parts) => parts.tops.of(streams));
  }

  keep(streams: readonly RetainedStream[]): Promise<void> {
    return this.#started((parts) => parts.tops.keep(streams));
  }

  read(stream: RetainedStream, after: Position | null, limit: number, bytesMax?: number): Promise<HistoryPage> {
    return this.#started((parts) => parts.history.read(stream, after, limit, bytesMax));
  }

  control(target: ControlTarget, command: NodeCommand): Promise<number> {
    return this.#started((parts) => parts.publisher.command(target, command));
  }

  block(user: string, block: Block | null): Promise<void> {
    return this.#started((parts) => parts.publisher.block(user, block));
  }

  blockOf(user: string): Promise<Block | null> {
    return this.#started((parts) => parts.blocks.of(user));
  }

  blocks(after: string, limit: number): Promise<BlockedUser[]> {
    return this.#started((parts) => parts.blocks.list(after, limit));
  }

  blocksKnown(): Promise<boolean> {
    return this.#started((parts) => parts.blocks.known());
  }

  restoreBlocks(words: ReadonlyMap<string, BlockWord>): Promise<number> {
    return this.#started((parts) => parts.blocks.restore(words));
  }

  acknowledge(stream: RetainedStream, offset: number): Promise<boolean> {
    return this.#started((parts) => parts.history.acknowledge(stream, offset));
  }

  acknowledged(stream: RetainedStream): Promise<Position | null> {
    return this.#started((parts) => parts.history.acknowledged(stream));
  }

  revoke(revocation: Revocation, untilMs: number): Promise<void> {
    return this.#started(async ({ sessions, publisher }) => {
      // First no more come in, then those who are in go.
      await sessions.revoke(revocation, untilMs);
      await publisher.command({ kind: 'all' }, { command: 'revoke', revocation });
    });
  }

  erase(user: string, streams: readonly RetainedStream[]): Promise<Erased> {
    return this.#started((parts) => parts.sessions.erase(user, streams));
  }

  nodes(): Promise<NodeRow[]> {
    return this.#started((parts) => parts.nodeRows.all());
  }

  topicsRead(): Promise<ReadonlySet<string>> {
    return this.#started((parts) => parts.nodeRows.topicsRead());
  }

  presence(user: string): Promise<PresenceRow[]> {
    return this.#started((parts) => parts.sessions.presence(user));
  }

  report(status: NodeStatus): void {
    this.#status = status;
    this.#parts?.membership.report(status);
  }

  showLife(): void {
    this.#parts?.membership.showLife();
  }

  #started<Result>(action: (parts: Parts) => Promise<Result>): Promise<Result> {
    if (this.#parts === null) return Promise.reject(new EngineError('stopped', 'the engine is not running'));
    return action(this.#parts);
  }

  #build(inbox: Inbox): Parts {
    const { logger, stats } = this.#dependencies;
    const settings = this.#settings;
    const timeoutMs = settings.callTimeoutMs;
    const keys = new Keys(settings.keyPrefix, settings);
    const clients = createClients(settings, keys);
    const scripts = loadScripts(clients);
    const policies = new EvictionPolicies({ stats, logger });
    const link = (redis: Redis) => new ScriptLink(redis, { logger, stats, policies }, { timeoutMs, scripts });
    const calls = new Calls(clients.calls.map(link));
    const publishing = clients.publishing === clients.calls ? calls : new Calls(clients.publishing.map(link));
    const recent = new RecentRecords();
    // The membership is made below because it follows the inboxes.
    const listener: InboxListener = {
      lost: (key) => membership.inboxLost(key),
      swallowed: (key) => membership.inboxSwallowed(key),
    };
    const reading = { timeoutMs, listener, bytesMax: settings.inboxBytesMax };
    const readers = InboxReaders.over(clients, { inbox, recent, stats, logger }, reading);
    const reaper = new Reaper({ calls, keys }, { stats, logger }, settings);
    const ownRows = new OwnRows({ calls, keys, inbox, logger });
    const layout = new Layout(calls, keys);
    const membership: Membership = new Membership(
      { calls, readers, keys, reaper, ownRows, layout, recent },
      { logger, inbox },
      { settings, status: this.#status },
    );
    const tops = new TopReads(calls, keys);
    const publisher = new Publisher(publishing, keys, { stats, settings, nodes: membership });
    const silent = new SilentNodes(membership, settings);
    const sessionParts = { calls, keys, membership, tops, silent, publisher };
    const sessions = new PresenceRegistry(sessionParts, { stats, settings });
    for (const client of allOf(clients)) {
      client.on('error', (error: Error) => logger.debug('redis connection failed', { error: error.message }));
    }
    return {
      clients,
      keys,
      calls,
      publishing,
      readers,
      reaper,
      membership,
      history: new History(calls, keys, recent),
      tops,
      blocks: new Blocks(calls, keys, { settings, logger }),
      publisher,
      sessions,
      nodeRows: new NodeRows(calls, keys),
      beats: new RouterBeats(calls, keys, settings.node),
      interestRows: new InterestRows({ calls, keys, membership }),
      recent,
      ownRows,
      layout,
    };
  }

  #watchConnections(parts: Parts): void {
    const { clients, membership } = parts;
    const { logger } = this.#dependencies;
    // One line at the beginning of an outage and one at its end, not one a connection and attempt.
    const away = new Set<Redis>();
    for (const client of allOf(clients)) {
      client.on('close', () => {
        if (this.#parts === parts && away.size === 0) logger.warn('redis connection lost', {});
        away.add(client);
      });
      client.on('ready', () => {
        if (away.delete(client) && away.size === 0) logger.info('redis connection is back', {});
      });
    }
    for (const [partition, client] of clients.calls.entries()) {
      client.on('close', () => membership.doubt(partition));
      // Not with the next second: until the check nobody knows whether this node is still registered.
      client.on('ready', () => this.#check(membership));
    }
  }

  #tick({ calls, readers, membership, reaper, sessions, blocks, recent, ownRows }: Parts): void {
    readers.probe();
    recent.rotate();
    // Some masters of a cluster may be away: the others' partitions are looked after.
    if (!calls.all.some(({ ready }) => ready)) return;
    this.#check(membership);
    // By what the refresh before has shown: a node that has shown life since is not claimed.
    if (membership.observes) reaper.run(membership.dead).catch(endByDefect);
    sessions.flush().catch(endByDefect);
    blocks.sweep().catch(endByDefect);
    ownRows.compare(membership.name, (rows) => sessions.release(rows)).catch(endByDefect);
  }

  #check(membership: Membership): void {
    const { logger } = this.#dependencies;
    membership.check().then(
      () => {
        if (this.#unrefreshed) logger.info('lease refreshed again', {});
        this.#unrefreshed = false;
      },
      (error: unknown) => {
        if (!this.#unrefreshed) logger.warn('lease not refreshed', { error: String(error) });
        this.#unrefreshed = true;
      },
    );
  }
}

/** Each connection once. */
function allOf({ calls, publishing, inboxes, channels }: Clients): Redis[] {
  return [...new Set([...calls, ...publishing, ...inboxes, ...channels.map(({ redis }) => redis)])];
}
