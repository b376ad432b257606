import type { Engine, HistoryPage } from '../../engine.js';
import type { StreamMessage } from '../../inbox.js';
import { isDeletion } from '../../frame.js';
import { livingOf } from '../../message-life.js';
import type { EdgeStats } from '../../stats.js';
import type { Position, RetainedStream, StreamPosition } from '../../streams.js';
import { Subscription, type Connection, type LocalStreams, type SubscribeRequest } from '../delivery/connection.js';
import type { Delivery } from '../delivery/delivery.js';
import type { CatchUp } from './catch-up.js';
import type { Interests } from './interests.js';
import { SharedReads } from './shared-reads.js';
import type { SubscriptionEvents } from '../../outgoing/subscription-events.js';
import { RefusalError } from '../refusals.js';

/** A stream as `connected` and the answers tell it. */
export interface SubscribedStream {
  readonly stream: string;
  readonly epoch: string;
  readonly offset: number;
  readonly recovered?: boolean;
  readonly replayed?: number;
}

/** One row of `topics` in `connected` and in the answer to `subscribe`. */
export type SubscribedTopic = { readonly topic: string; readonly key?: string } & Partial<SubscribedStream> & {
    readonly public?: SubscribedStream;
  };

/** A join under way: subscriptions hold live frames until `complete` or `abandon`. */
export type PendingSubscriptions = readonly PendingSubscription[];

export interface PendingSubscription {
  readonly subscription: Subscription;
  readonly after: Position | null;
  /** What is sent before anything live: all of it, or the first page. */
  replay: readonly StreamMessage[];
  /** Positions that will have been replayed, those of the pages to come included. */
  replayed: number;
  recovered: boolean | null;
}

interface SubscriberDeps {
  readonly engine: Engine;
  readonly localStreams: LocalStreams;
  readonly delivery: Delivery;
  readonly interests: Interests;
  readonly catchUp: CatchUp;
  readonly stats: EdgeStats;
  readonly subscriptions: SubscriptionEvents | null;
}

/**
 * Takes connections into streams without missing or doubling a message. The order is what makes it true:
 * 1. the subscription stands in the channel and holds live frames;
 * 2. the node watches the shared streams; the engine registers the user (admit) and says each stream's top: everything
 *    later arrives by the inbox, everything up to the top is history;
 * 3. history after the client's position is read;
 * 4. replay, then the held frames beyond it, then live.
 */
export class Subscriber {
  readonly #deps: SubscriberDeps;
  readonly #reads: SharedReads;

  constructor(deps: SubscriberDeps) {
    this.#deps = deps;
    this.#reads = new SharedReads(deps.engine);
  }

  /**
   * Steps 1 and 2 (the node's part). `replaced` are subscriptions of the connection to some of these streams, which it is
   * to have anew from the positions it named. Rejects with EngineError; nothing is left behind then.
   */
  async begin(
    connection: Connection,
    requests: readonly SubscribeRequest[],
    replaced: readonly Subscription[] = [],
  ): Promise<PendingSubscriptions> {
    const { localStreams, interests } = this.#deps;
    const pending = requests.map((request): PendingSubscription => {
      const subscription = new Subscription(connection, localStreams.obtain(request.stream, request.shared), request);
      subscription.localStream.addDirect(subscription);
      connection.subscriptions.push(subscription);
      // Where nothing is kept a position proves nothing.
      const recovered = request.after !== null && subscription.retained === null ? false : null;
      return { subscription, after: request.after, replay: [], replayed: 0, recovered };
    });
    const shared = pending.filter(({ subscription }) => subscription.localStream.shared);
    try {
      const watched = interests.add(shared.map(({ subscription }) => subscription.localStream.stream));
      // Only now, so that the node never stops to watch these streams.
      for (const subscription of replaced) this.leave(subscription);
      await watched;
    } catch (error) {
      this.abandon(pending);
      throw error;
    }
    return pending;
  }

  /** The streams whose tops the engine must tell, in the order `read` expects the positions. */
  streamsOf(pending: PendingSubscriptions): RetainedStream[] {
    return pending.map(({ subscription }) => subscription.retained).filter((retained) => retained !== null);
  }

  /** Steps 2 (the engine's part) and 3 for a connection that is open already. Rejects with EngineError, abandons. */
  async readOpen(pending: PendingSubscriptions): Promise<void> {
    try {
      const streams = this.streamsOf(pending);
      await this.read(pending, streams.length === 0 ? [] : await this.#deps.engine.positions(streams));
    } catch (error) {
      this.abandon(pending);
      throw error;
    }
  }

  /** Step 3. Rejects with EngineError; call `abandon` then. */
  async read(pending: PendingSubscriptions, positions: readonly Position[]): Promise<void> {
    const retained = pending.filter(({ subscription }) => subscription.retained !== null);
    await Promise.all(retained.map((part, at) => this.#readPart(part, positions[at]!)));
  }

  /** Rows that the client is told of topics, before `complete`. */
  describe(pending: PendingSubscriptions): SubscribedTopic[] {
    const topics = new Map<string, SubscribedTopic>();
    for (const part of pending) {
      const { kind, name, key, localStream } = part.subscription;
      if (kind !== 'topic') continue;
      const id = key === undefined ? name : localStream.stream;
      const row = topics.get(id) ?? { topic: name, ...(key !== undefined && { key }) };
      const stream = this.describeStream(part);
      const isPublic = localStream.shared && key === undefined;
      if (stream === null) topics.set(id, part.recovered === null ? row : { ...row, recovered: false, replayed: 0 });
      else topics.set(id, isPublic ? { ...row, public: stream } : { ...row, ...stream });
    }
    return [...topics.values()];
  }

  /**
   * Positions of the client before `complete`: what will be replayed is still to come. Streams with an unbroken history
   * come first, those of which only the newest value counts last.
   */
  beginnings(pending: PendingSubscriptions): StreamPosition[] {
    const retained = pending.filter(({ subscription }) => subscription.retained !== null);
    const isLatest = ({ subscription }: PendingSubscription): boolean =>
      subscription.policy.retention?.mode === 'latest';
    return [...retained.filter((part) => !isLatest(part)), ...retained.filter(isLatest)].map(
      ({ subscription, after, replayed, recovered }) => {
        const { localStream, epoch, offset } = subscription;
        const { stream } = localStream;
        return recovered === true ? { stream, ...after! } : { stream, epoch, offset: offset - replayed };
      },
    );
  }

  /**
   * Where the connection stands in streams that another command of it has asked for, perhaps a moment ago: told only when
   * that one is done. Throws RefusalError when the other one failed, or they were left meanwhile.
   */
  async standing(subscriptions: readonly Subscription[]): Promise<PendingSubscriptions> {
    await Promise.all(subscriptions.map((subscription) => subscription.settled()));
    return subscriptions.map((subscription) => {
      if (subscription.left)
        throw new RefusalError('unavailable', `${subscription.name}: was left meanwhile; try again`);
      return { subscription, after: null, replay: [], replayed: 0, recovered: null };
    });
  }

  /** Row of one stream; null for a stream without history. */
  describeStream(part: PendingSubscription): SubscribedStream | null {
    const { subscription, recovered } = part;
    if (subscription.retained === null) return null;
    const { localStream } = subscription;
    const at = subscription.position;
    if (at.epoch === '') throw new Error(`${localStream.stream}: described before its position was read`);
    const row = { stream: localStream.stream, epoch: at.epoch, offset: at.offset };
    return recovered === null ? row : { ...row, recovered, replayed: part.replayed };
  }

  /** Step 4: after the frame that tells of the join was given to the socket. */
  complete(pending: PendingSubscriptions): void {
    for (const { subscription, replay, replayed, recovered } of pending) {
      // It may have been left again while its history was read.
      if (subscription.left) continue;
      if (recovered !== null) this.#deps.stats.resumes.add(recovered ? 'recovered' : 'lost');
      if (replayed > replay.length) this.#deps.catchUp.start(subscription, replay);
      else this.#deps.delivery.release(subscription, replay);
    }
  }

  abandon(pending: PendingSubscriptions): void {
    for (const { subscription } of pending) this.leave(subscription);
  }

  /** Takes one subscription away; nothing if that was done before. */
  leave(subscription: Subscription): void {
    const { connection, localStream } = subscription;
    if (subscription.left) return;
    subscription.left = true;
    connection.subscriptions.splice(connection.subscriptions.lastIndexOf(subscription), 1);
    subscription.settle();
    this.#deps.delivery.detach(subscription);
    if (this.#deps.localStreams.dropIfEmpty(localStream)) this.#deps.subscriptions?.left(localStream.stream);
    if (localStream.shared) this.#deps.interests.remove(localStream.stream);
  }

  leaveAll(connection: Connection): void {
    // From the end, where each is found at once: there may be thousands.
    for (let last; (last = connection.subscriptions.at(-1)) !== undefined;) this.leave(last);
  }

  async #readPart(part: PendingSubscription, top: Position): Promise<void> {
    const { subscription } = part;
    const { policy, localStream } = subscription;
    subscription.epoch = top.epoch;
    subscription.offset = top.offset;
    // Left meanwhile, by its client's word or its end: nothing is sent to it any more.
    if (subscription.left) return;
    const after = part.after ?? (await this.#acknowledged(subscription));
    const hasSnapshot = policy.snapshot && (!localStream.shared || subscription.key !== undefined);
    if (after === null && (!hasSnapshot || top.offset === 0)) return;
    if (after !== null && after.epoch === top.epoch && after.offset === top.offset) {
      if (part.after !== null) part.recovered = true;
      return;
    }
    if (subscription.left) return;
    const page = await this.#reads.read(subscription.retained!, { after, bytesMax: policy.queueBytes }, top);
    if (part.after !== null) part.recovered = page.recovered;
    else if (after !== null) this.#countExpired(subscription, after, page);
    this.#takePage(part, page);
    // Who knew no value needs not be told that there is none; who resumes does.
    if (after !== null) return;
    part.replay = livingOf(part.replay).filter(({ frame }) => !isDeletion(frame));
    part.replayed = part.replay.length;
  }

  /** Position where a client without one resumes in a topic with acknowledgements. */
  async #acknowledged(subscription: Subscription): Promise<Position | null> {
    if (!subscription.policy.ack || subscription.localStream.shared) return null;
    const acknowledged = await this.#deps.engine.acknowledged(subscription.retained!);
    return acknowledged ?? { epoch: subscription.epoch, offset: 0 };
  }

  /** Unacknowledged messages that the history no longer holds. */
  #countExpired(subscription: Subscription, after: Position, page: HistoryPage): void {
    const first = page.messages[0]?.offset ?? page.offset + 1;
    const expired = first - after.offset - 1;
    if (expired > 0) this.#deps.stats.expired.add(subscription.name, expired);
  }

  #takePage(part: PendingSubscription, page: HistoryPage): void {
    const { subscription } = part;
    part.replay = page.messages;
    part.replayed = page.messages.length;
    const last = page.messages.at(-1);
    if (last === undefined) return;
    // Offsets of a stream grow by exactly 1, so what the pages to come will bring is known.
    part.replayed += page.offset - last.offset;
    // The history may have grown past the top that admit told; held frames up to there are in the replay.
    if (page.epoch !== subscription.epoch || page.offset > subscription.offset) {
      subscription.epoch = page.epoch;
      subscription.offset = page.offset;
    }
  }
}
