import { closeReason } from '../close-codes.js';
import type {
  AdmitRequest,
  AdmitResult,
  Block,
  BlockedUser,
  BlockItem,
  BlockWord,
  ChannelItem,
  ControlTarget,
  Engine,
  Erased,
  HistoryPage,
  NodeRow,
  NodeStatus,
  PresenceRow,
  PublishBatch,
  PublishItem,
  PublishResult,
  ReleasedConnection,
  UserItem,
} from '../engine.js';
import type { Inbox } from '../inbox.js';
import { EngineError } from '../errors.js';
import { ledgerKey } from '../outcomes/outcome.js';
import { initialStatus } from '../node-status.js';
import type { NodeCommand } from '../node-commands.js';
import type { TopicSight } from '../record-source.js';
import type { Revocation } from '../revocation.js';
import type { ShownBeat } from '../router-beat.js';
import type { SourceClaim, SourcePosition } from '../source-position.js';
import type { EngineStats } from '../stats.js';
import { userStream, type Position, type RetainedStream, type Retention, type StreamName } from '../streams.js';
import { nothingTraced, publishTraced, type Tracing } from '../trace/tracing.js';
import { DeliveryQueue } from './delivery-queue.js';
import { MemoryBlockSteps } from './memory-block-steps.js';
import { MemoryPresence } from './memory-presence.js';
import { MemoryLedger } from './memory-ledger.js';
import { MemorySources } from './memory-sources.js';
import { MemoryStreams } from './memory-streams.js';

export interface MemoryEngineOptions {
  readonly node: string;
  readonly stats: EngineStats;
  readonly tracing?: Tracing;
  /** Clock in ms since the epoch. Default Date.now. */
  readonly clock?: () => number;
}

type ItemResult = NonNullable<PublishResult['items']>[number];

const NOWHERE: ItemResult = { nodes: 0, position: null };

/** Time in ms between two looks for forgotten streams and blocks that ran out. */
const SWEEP_MS = 60_000;

/**
 * Engine of one node, without a server: for trying out, for single machines, for unit tests. What it knows ends with the
 * process: new epochs after a restart.
 */
export class MemoryEngine implements Engine {
  readonly store = '';
  readonly #node: string;
  readonly #clock: () => number;
  readonly #stats: EngineStats;
  readonly #tracing: Tracing;
  readonly #streams: MemoryStreams;
  readonly outcomes: MemoryLedger;
  readonly #sources = new MemorySources();
  readonly #watched = new Set<StreamName>();
  readonly #sessions = new MemoryPresence();
  readonly #blockSteps: MemoryBlockSteps;
  #blocksKnown = false;
  #queue: DeliveryQueue | null = null;
  #sweeper: NodeJS.Timeout | null = null;
  #status: NodeStatus;

  constructor(options: MemoryEngineOptions) {
    this.#stats = options.stats;
    this.#tracing = options.tracing ?? nothingTraced;
    this.#node = options.node;
    this.#clock = options.clock ?? Date.now;
    this.#blockSteps = new MemoryBlockSteps(this.#clock);
    this.#streams = new MemoryStreams(this.#clock);
    this.outcomes = new MemoryLedger(this.#clock);
    this.#status = initialStatus('all', this.#clock());
  }

  get healthy(): boolean {
    return this.#queue !== null;
  }

  async start(inbox: Inbox): Promise<void> {
    this.#queue = new DeliveryQueue(inbox);
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_MS);
    this.#sweeper.unref();
  }

  async stop(): Promise<void> {
    this.#queue?.stop();
    this.#queue = null;
    if (this.#sweeper !== null) clearInterval(this.#sweeper);
  }

  publish(batch: PublishBatch): Promise<PublishResult> {
    return publishTraced(this.#tracing, batch, (traced) => this.#publish(traced));
  }

  async #publish({ source, items, perItem = source === null }: PublishBatch): Promise<PublishResult> {
    const queue = this.#running();
    const applied = source === null ? -1 : this.#sources.appliedBefore(source);
    const results: ItemResult[] = [];
    let routed = 0;
    let duplicates = 0;
    const number = source === null ? 0 : this.#sources.numberOf(source);
    for (const item of items) {
      if (source !== null && item.sourceOffset <= applied) {
        duplicates++;
        continue;
      }
      const result = this.#apply(item, queue, number);
      routed += result.nodes;
      results.push(result);
    }
    if (source !== null) this.#sources.apply(source);
    if (queue.endBatch()) this.#stats.publications++;
    const counts = { routed, offline: items.length - routed - duplicates, duplicates };
    return perItem && duplicates === 0 ? { ...counts, items: results } : counts;
  }

  async sourcePositions(topic: string, partition: number): Promise<readonly SourcePosition[]> {
    this.#running();
    return this.#sources.positions({ topic, partition });
  }

  async claimSource(topic: string, partition: number, claim: SourceClaim): Promise<boolean> {
    this.#running();
    return this.#sources.claim({ topic, partition }, claim);
  }

  /** There is no other router. */
  async beat(): Promise<readonly ShownBeat[]> {
    return [];
  }

  async endBeat(): Promise<boolean> {
    return false;
  }

  async noteTopics(group: string, sights: readonly TopicSight[]): Promise<readonly TopicSight[]> {
    this.#running();
    return this.#sources.noteTopics(group, sights);
  }

  async admit(request: AdmitRequest): Promise<AdmitResult> {
    const queue = this.#running();
    const { user } = request;
    if (user !== null) {
      const decision = this.#sessions.admit({ ...request, user }, this.#node, this.#clock());
      if (decision.status !== 'admitted') return decision;
      for (const connection of decision.replaced) {
        queue.add({ command: { command: 'close', user, connection, close: closeReason('session_replaced') } });
      }
      queue.endBatch();
      this.#stats.registrations++;
    }
    return { status: 'admitted', positions: request.streams.map((stream) => this.#position(stream)) };
  }

  async release(connections: readonly ReleasedConnection[]): Promise<void> {
    for (const connection of connections) if (this.#sessions.release(connection)) this.#stats.unregistrations++;
  }

  async watch(streams: readonly StreamName[]): Promise<void> {
    this.#running();
    for (const stream of streams) this.#watched.add(stream);
  }

  async unwatch(streams: readonly StreamName[]): Promise<void> {
    this.#running();
    for (const stream of streams) this.#watched.delete(stream);
  }

  async positions(streams: readonly RetainedStream[]): Promise<Position[]> {
    this.#running();
    return streams.map((stream) => this.#position(stream));
  }

  async keep(streams: readonly RetainedStream[]): Promise<void> {
    this.#running();
    for (const { stream, retention } of streams) this.#streams.obtain(stream).touch(retention, this.#clock());
  }

  async read(
    { stream, retention }: RetainedStream,
    after: Position | null,
    limit: number,
    bytesMax = Number.POSITIVE_INFINITY,
  ): Promise<HistoryPage> {
    this.#running();
    return this.#streams.look(stream).read(retention, after, { limit, bytesMax, nowMs: this.#clock() });
  }

  async control(target: ControlTarget, command: NodeCommand): Promise<number> {
    const queue = this.#running();
    if (target.kind === 'user' && !this.#sessions.has(target.user)) return 0;
    if (target.kind === 'node' && target.node !== this.#node) return 0;
    if (target.kind === 'channel' && !this.#watched.has(target.stream)) return 0;
    queue.add({ command });
    queue.endBatch();
    return 1;
  }

  async block(user: string, block: Block | null): Promise<void> {
    const queue = this.#running();
    this.#block(user, block, queue);
    queue.endBatch();
  }

  async blockOf(user: string): Promise<Block | null> {
    this.#running();
    return this.#sessions.blockOf(user, this.#clock());
  }

  async blocks(after: string, limit: number): Promise<BlockedUser[]> {
    this.#running();
    return this.#sessions.blocks({ after, limit }, this.#clock());
  }

  async blocksKnown(): Promise<boolean> {
    this.#running();
    return this.#blocksKnown;
  }

  async restoreBlocks(words: ReadonlyMap<string, BlockWord>): Promise<number> {
    const queue = this.#running();
    let restored = 0;
    for (const [user, word] of words) {
      if (word.offset <= this.#sources.appliedOf(word)) continue;
      restored++;
      this.#block(user, word.block, queue);
    }
    queue.endBatch();
    this.#blocksKnown = true;
    return restored;
  }

  async acknowledge({ stream, retention }: RetainedStream, offset: number): Promise<boolean> {
    this.#running();
    const found = this.#streams.look(stream);
    found.touch(retention, this.#clock());
    if (offset > found.offset) return false;
    found.acknowledged = Math.max(found.acknowledged, offset);
    this.outcomes.acknowledged(stream, offset);
    return true;
  }

  async acknowledged({ stream }: RetainedStream): Promise<Position | null> {
    this.#running();
    const found = this.#streams.get(stream);
    return found === undefined || found.acknowledged === 0 ? null : { epoch: found.epoch, offset: found.acknowledged };
  }

  async revoke(revocation: Revocation, untilMs: number): Promise<void> {
    const queue = this.#running();
    this.#sessions.revoke(revocation, untilMs);
    queue.add({ command: { command: 'revoke', revocation } });
    queue.endBatch();
  }

  async erase(user: string, streams: readonly RetainedStream[]): Promise<Erased> {
    const queue = this.#running();
    queue.add({ command: { command: 'close', user, close: closeReason('revoked') } });
    queue.endBatch();
    this.#sessions.forget(user);
    const erased = { streams: 0, messages: 0 };
    for (const stream of streams) {
      this.outcomes.unacknowledgeable(stream.stream);
      const messages = this.#streams.erase(stream);
      erased.streams += messages === null ? 0 : 1;
      erased.messages += messages ?? 0;
    }
    return erased;
  }

  async nodes(): Promise<NodeRow[]> {
    this.#running();
    return [{ ...this.#status, node: this.#node }];
  }

  async topicsRead(): Promise<ReadonlySet<string>> {
    this.#running();
    const { partitions, lag } = this.#status;
    return new Set(Object.keys(partitions ?? lag));
  }

  async presence(user: string): Promise<PresenceRow[]> {
    this.#running();
    return this.#sessions.presence(user);
  }

  report(status: NodeStatus): void {
    this.#status = status;
  }

  #running(): DeliveryQueue {
    if (this.#queue === null) throw new EngineError('stopped', 'the engine is not running');
    return this.#queue;
  }

  #apply(item: PublishItem, queue: DeliveryQueue, source: number): ItemResult {
    switch (item.kind) {
      case 'user': {
        const here = this.#sessions.has(item.user);
        const stream = userStream(item.topic, item.user);
        const result = this.#toStream(item, stream, { here, queue, source });
        if (item.ticket === undefined || source === 0) return result;
        const entering = { stream, offset: result.position?.offset ?? 0, nodes: result.nodes, ticket: item.ticket };
        this.outcomes.enter(ledgerKey({ stream, source, sourceOffset: item.sourceOffset }), entering);
        return result;
      }
      case 'expired':
        this.outcomes.expired(item.ticket);
        return NOWHERE;
      case 'channel':
        return this.#toStream(item, item.stream, { here: this.#watched.has(item.stream), queue, source });
      case 'all':
        queue.add({ broadcast: Buffer.from(item.head) });
        return { nodes: 1, position: null };
      case 'block': {
        const isDone = this.#blockSteps.isDone(item);
        if (isDone && source === 0) return NOWHERE;
        const here = this.#sessions.has(item.user);
        const stream = userStream(item.topic, item.user);
        // A block without a frame has no message.
        const isSilent = isDone || item.head === '';
        const result = isSilent ? NOWHERE : this.#toStream(item, stream, { here, queue, source });
        this.#block(item.user, item.block, queue);
        this.#blockSteps.done(item);
        return result;
      }
    }
  }

  #toStream(
    item: UserItem | ChannelItem | BlockItem,
    stream: StreamName,
    { here, queue, source }: { here: boolean; queue: DeliveryQueue; source: number },
  ): ItemResult {
    const { retention, recordTimeMs } = item;
    const kept = retention === null ? null : this.#append(stream, item, { retention, source });
    if (here) {
      const frame = kept?.frame ?? Buffer.from(item.head);
      const except = ('except' in item ? item.except : undefined) ?? '';
      queue.add({
        stream,
        epoch: kept?.epoch ?? '',
        offset: kept?.offset ?? 0,
        recordTimeMs,
        frame,
        except,
        source,
        sourceOffset: source === 0 ? 0 : item.sourceOffset,
        acceptedMs: 0,
        trace: item.trace ?? '',
        seen: false,
      });
    }
    return { nodes: here ? 1 : 0, position: kept === null ? null : { epoch: kept.epoch, offset: kept.offset } };
  }

  #append(
    name: StreamName,
    item: UserItem | ChannelItem | BlockItem,
    { retention, source }: { retention: Retention; source: number },
  ) {
    const stream = this.#streams.obtain(name);
    const frame = stream.append(item, retention, { source, nowMs: this.#clock() });
    return { frame, epoch: stream.epoch, offset: stream.offset };
  }

  #block(user: string, block: Block | null, queue: DeliveryQueue): void {
    this.#sessions.block(user, block);
    if (block === null || !this.#sessions.has(user)) return;
    queue.add({ command: { command: 'close', user, close: closeReason('user_blocked', block.reason) } });
  }

  #position({ stream, retention }: RetainedStream): Position {
    const found = this.#streams.look(stream);
    found.touch(retention, this.#clock());
    return { epoch: found.epoch, offset: found.offset };
  }

  #sweep(): void {
    const nowMs = this.#clock();
    this.#sessions.sweep(nowMs);
    this.#streams.sweep(nowMs);
  }
}
