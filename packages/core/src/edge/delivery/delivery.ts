import type { StreamMessage } from '../../inbox.js';
import { livingOf } from '../../message-life.js';
import { Histogram, LATENCY_BOUNDS_SECONDS, type EdgeStats } from '../../stats.js';
import type { StreamName } from '../../streams.js';
import { closeOver } from '../../close-codes.js';
import type { LocalStream } from './local-streams.js';
import type { Frame, LocalStreams, NativeSubscribers, SlowSubscribers, Subscription } from './connection.js';
import { nothingTraced, type Tracing } from '../../trace/tracing.js';
import type { Sender } from './sender.js';
import type { DeliverySpans } from '../../spans/delivery-spans.js';
import type { Take, Takes } from './takes.js';

/**
 * Number of subscribers from which a stream is served by its transport's own fan-out: joining a group pays only for
 * many.
 */
const NATIVE_FROM = 16;

interface DeliveryDeps {
  readonly localStreams: LocalStreams;
  readonly sender: Sender;
  readonly takes: Takes;
  readonly stats: EdgeStats;
  readonly tracing?: Tracing;
  /** null or absent: no spans are wanted. */
  readonly spans?: DeliverySpans | null;
}

/**
 * Fan-out on this node: from a message for a stream to the sockets subscribed to it. No JSON is parsed or built here;
 * the frame is the router's, byte for byte.
 *
 * A subscription is in one of four places, and moves only between batches so that nothing overtakes: *held* (history is
 * being read; live frames wait), *single* (sent by the Sender), and of a stream with many subscribers *native* (the
 * transport's fan-out) or, while its socket lags, *slow* (what comes is kept once for all that lag).
 */
export class Delivery {
  readonly #localStreams: LocalStreams;
  readonly #sender: Sender;
  readonly #takes: Takes;
  readonly #spans: DeliverySpans | null;
  readonly #stats: EdgeStats;
  readonly #tracing: Tracing;
  /** Shared channels with subscribers that may move to native fan-out at the end of the batch. */
  readonly #promotable = new Set<LocalStream<Subscription>>();
  /** Streams that transports have served since backlogs were last looked at: few, however many there are. */
  readonly #published = new Set<NativeSubscribers>();
  /** Backlogs that got something in this batch. */
  readonly #grown = new Set<SlowSubscribers>();
  #batchAtMs = 0;
  #batchStarted = 0;

  constructor(deps: DeliveryDeps) {
    this.#localStreams = deps.localStreams;
    this.#sender = deps.sender;
    this.#takes = deps.takes;
    this.#spans = deps.spans ?? null;
    this.#stats = deps.stats;
    this.#tracing = deps.tracing ?? nothingTraced;
  }

  deliver(message: StreamMessage): void {
    if (this.#batchAtMs === 0) {
      this.#batchAtMs = Date.now();
      this.#batchStarted = performance.now();
    }
    const localStream = this.#localStreams.get(message.stream);
    if (localStream === undefined) {
      this.#tracing.tracer?.unsubscribed(message);
      return;
    }
    const { direct, native, backlog } = localStream;
    if (message.trace) this.#spans?.delivered(message.trace, message.stream, localStream.size);
    if (message.except !== '') this.#single(localStream, message.except);
    if (message.offset > 0) {
      localStream.epoch = message.epoch;
      localStream.offset = message.offset;
    }
    if (native !== null && native.members.length > 0 && !message.seen) this.#publish(native, message);
    if (backlog !== null && backlog.members.length > 0 && !message.seen) this.#keep(backlog, message);
    const take = direct[0] === undefined ? null : this.#takes.came(message, direct[0]);
    // Backwards: serving one may close it, which takes it out of the list.
    for (let at = direct.length - 1; at >= 0; at--) {
      const subscription = direct[at];
      if (subscription !== undefined) this.#serve(subscription, message, take);
    }
    if (direct.length > 0 && deservesNativeFanOut(localStream)) this.#promotable.add(localStream);
  }

  endBatch(): void {
    for (const backlog of this.#grown) this.#sender.fit(backlog);
    this.#grown.clear();
    this.#sender.flush();
    this.#spans?.endBatch();
    for (const localStream of this.#promotable) this.#promote(localStream);
    this.#promotable.clear();
    this.#sender.beginTurns();
    if (this.#batchAtMs !== 0) this.#stats.messageLatency.observe((performance.now() - this.#batchStarted) / 1000);
    this.#batchAtMs = 0;
  }

  /** Ends the holding of a new subscription: sends `replay`, then what was held and is newer, then it is live. */
  release(subscription: Subscription, replay: readonly Frame[]): void {
    const { connection, held } = subscription;
    this.replay(subscription, replay);
    subscription.held = null;
    subscription.heldBytes = 0;
    for (const live of held ?? []) {
      if (!advances(subscription, live) || live.frame === null) continue;
      this.#sender.push(connection, live.frame, subscription, live.take);
      this.#stats.messagesSent.add(subscription.policy.type);
    }
    subscription.settle();
  }

  /**
   * Sends history behind everything collected so far: at once to a socket that keeps up, else at its pace. What has ended
   * meanwhile is left out, and its position is passed over.
   */
  replay(subscription: Subscription, history: readonly Frame[]): void {
    const { connection, policy } = subscription;
    const frames = livingOf(history);
    if (connection.slowQueue === null && bytesOf(frames) <= policy.queueBytes) {
      for (const { frame } of frames) this.#sender.push(connection, frame, subscription);
    } else {
      this.#sender.replay(
        connection,
        frames.map(({ frame }) => frame),
      );
    }
    this.#stats.messagesSent.add(policy.type, frames.length);
    this.#takes.replayed(frames, subscription);
    this.#tracing.tracer?.replayed(connection, frames);
  }

  /** Takes natively served sockets whose backlog grew into their own lanes; only channels used since the last look. */
  sweep(): void {
    for (const native of this.#published) {
      for (let at = native.members.length - 1; at >= 0; at--) {
        const subscription = native.members[at];
        if (subscription !== undefined && this.#sender.lagging(subscription.connection)) this.demote(subscription);
      }
    }
    this.#published.clear();
  }

  /** Moves a subscription that is served with others to single service, at the position where the stream is. */
  demote(subscription: Subscription): void {
    if (subscription.isServedWithOthers) this.#sender.serveSingly(subscription);
  }

  detach(subscription: Subscription): void {
    this.#sender.leaveStream(subscription);
  }

  #publish(native: NativeSubscribers, message: StreamMessage): void {
    if (!this.#sender.publish(native, message.frame)) return;
    this.#published.add(native);
    this.#count(native.members[0]!, message, native.members.length);
  }

  #keep(backlog: SlowSubscribers, message: StreamMessage): void {
    this.#sender.keep(backlog, message.frame);
    this.#grown.add(backlog);
    this.#count(backlog.members[0]!, message, backlog.members.length);
  }

  /** The sender of a message is left out of it, which only single service can do. */
  #single({ native, backlog }: LocalStream<Subscription>, connection: string): void {
    const isSender = (subscription: Subscription): boolean => subscription.connection.id === connection;
    const sender = native?.members.find(isSender) ?? backlog?.members.find(isSender);
    if (sender !== undefined) this.demote(sender);
  }

  #serve(subscription: Subscription, message: StreamMessage, take: Take | null): void {
    // A store that lost its newest minute is given it again.
    if (message.seen && subscription.outlivedLoss) {
      take?.sent();
      return;
    }
    const isOwn = message.except !== '' && message.except === subscription.connection.id;
    if (subscription.held !== null) {
      this.#hold(subscription, message, isOwn ? null : { take });
      return;
    }
    if (isOwn) {
      // The sender has it already; for its position it counts.
      advances(subscription, message);
      return;
    }
    if (message.seen && deliveredBefore(subscription, message)) {
      take?.sent();
      return;
    }
    if (!advances(subscription, message)) return;
    this.#sender.push(subscription.connection, message.frame, subscription, take);
    this.#count(subscription, message, 1);
  }

  /** `due` null: the connection's own message, which it is not told. */
  #hold(subscription: Subscription, message: StreamMessage, due: { readonly take: Take | null } | null): void {
    // History is read up to here all the same.
    if (subscription.replaying === 'paced') return;
    // It will be closed as soon as it is open, and an open one would not get this any more.
    if (subscription.connection.pendingClose !== null) return;
    if (due !== null) subscription.heldBytes += message.frame.length;
    const bytesMax = subscription.policy.queueBytes;
    if (subscription.heldBytes > bytesMax && subscription.held!.length > 0) {
      this.#holdNoMore(subscription);
      return;
    }
    const frame = due === null ? null : Buffer.from(message.frame);
    subscription.held!.push({ epoch: message.epoch, offset: message.offset, frame, take: due?.take ?? null });
  }

  #holdNoMore(subscription: Subscription): void {
    subscription.held = [];
    subscription.heldBytes = 0;
    if (subscription.replaying === 'reading') {
      // The page that is being read will not be the last.
      subscription.replaying = 'paced';
      return;
    }
    // The history took longer than the queue could hold: the client comes back and reads on.
    this.#stats.bufferOverflows++;
    this.#sender.close(subscription.connection, closeOver(subscription.policy.name, 'slow_consumer'));
  }

  #promote(localStream: LocalStream<Subscription>): void {
    const native = localStream.obtainNative();
    for (let at = localStream.direct.length - 1; at >= 0; at--) {
      const subscription = localStream.direct[at]!;
      const { connection, held } = subscription;
      if (held !== null || connection.state !== 'open' || isAhead(subscription, localStream)) continue;
      if (connection.slowQueue === null) this.#sender.joinGroup(subscription, native);
      else this.#sender.lag(subscription);
    }
  }

  #count(subscription: Subscription, message: StreamMessage, sockets: number): void {
    const { policy } = subscription;
    this.#stats.messagesSent.add(policy.type, sockets);
    if (message.recordTimeMs <= 0) return;
    this.#ageOf(policy.name).observe(Math.max(0, this.#batchAtMs - message.recordTimeMs) / 1000);
  }

  #ageOf(topic: StreamName): Histogram {
    let age = this.#stats.messageAge.get(topic);
    if (age === undefined) {
      age = new Histogram(LATENCY_BOUNDS_SECONDS);
      this.#stats.messageAge.set(topic, age);
    }
    return age;
  }
}

function bytesOf(frames: readonly Frame[]): number {
  let bytes = 0;
  for (const { frame } of frames) bytes += frame.length;
  return bytes;
}

/** Its history was read past what has arrived here: among the others it would get frames twice. */
function isAhead(subscription: Subscription, { epoch, offset }: LocalStream<Subscription>): boolean {
  return offset > 0 && (subscription.epoch !== epoch || subscription.offset > offset);
}

/** Subscriptions of a stream that many are subscribed to do not wait until they are many by themselves. */
function deservesNativeFanOut({ shared, size }: LocalStream<Subscription>): boolean {
  return shared && size >= NATIVE_FROM;
}

/**
 * The subscription got the message when it came first, though the node has not heard of the loss yet. Its position stays in
 * the epoch that was lost, where the next repeated message will be looked at, too. Who joined since is in the new epoch.
 */
function deliveredBefore(subscription: Subscription, { epoch, offset }: StreamMessage): boolean {
  return offset === 0 || subscription.epoch !== epoch;
}

/** Moves the subscription's position forward; false when it has had this offset already. */
function advances(subscription: Subscription, at: { epoch: string; offset: number }): boolean {
  if (at.offset === 0) return true;
  if (at.epoch === subscription.epoch && at.offset <= subscription.offset) return false;
  subscription.epoch = at.epoch;
  subscription.offset = at.offset;
  return true;
}
