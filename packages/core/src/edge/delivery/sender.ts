import { closeOver, type CloseReason } from '../../close-codes.js';
import type { EdgeStats } from '../../stats.js';
import type { Connection, NativeSubscribers, SlowSubscribers, Subscription } from './connection.js';
import { nothingTraced, type Tracing } from '../../trace/tracing.js';
import { nextArrival, SlowQueue, type SlowQueuePolicy } from './slow-queue.js';
import type { SlowVerdict } from '../../slow-policies/slow-policy.js';
import type { Take } from './takes.js';
import { WaitingFrames } from './waiting-frames.js';

/** Bytes that a slow socket may have in the transport's own buffer before its queue waits for it. */
const SOCKET_BUFFER_BYTES = 64 * 1024;

/** Time in ms without any progress after which the peer is gone or stalled for good, and is closed with 4001. */
const STALLED_MS = 30_000;

/** Frames sent in one cork while a queue drains, so that one recovering socket doesn't hold the loop. */
const DRAIN_FRAMES_PER_TURN = 256;

/** History comes in pages that are bounded by what they are read with (see CatchUp). */
const REPLAY_POLICY: SlowQueuePolicy = { slow: 'queue', queueBytes: Number.POSITIVE_INFINITY };

/**
 * The last step to a socket. Guarantees per connection: frames leave in the order given (see WaitingFrames); none is
 * skipped in silence (what a policy drops is counted, what may not be dropped closes 4001); all frames of one batch ride
 * in one system call. A socket that does not keep up gets a SlowQueue until it has drained, and costs nobody else anything.
 */
export class Sender {
  readonly #stats: EdgeStats;
  readonly #tracing: Tracing;
  readonly #waiting = new WaitingFrames((connection) => this.#sent(connection));
  readonly #answers: SlowQueuePolicy;
  readonly #now: () => number;
  readonly #slow = new Set<Connection>();
  /** Waiters for a slow queue to become empty; each is told false when the connection ends before. */
  readonly #drains = new Map<Connection, (isOpen: boolean) => void>();
  /** The last frame that was put into a slow queue, and the copy that all slow queues share. */
  #copied: Uint8Array | null = null;
  #copy: Uint8Array = new Uint8Array();

  constructor(stats: EdgeStats, options: { answerQueueBytes: number; now?: () => number; tracing?: Tracing }) {
    this.#stats = stats;
    this.#tracing = options.tracing ?? nothingTraced;
    this.#answers = { slow: 'queue', queueBytes: options.answerQueueBytes };
    this.#now = options.now ?? (() => performance.now());
  }

  /**
   * Collects a frame until `flush`. `subscription` null: an answer, a room-less broadcast or another frame without topic;
   * `take` null: nobody wants to know what becomes of it.
   */
  push(connection: Connection, frame: Uint8Array, subscription: Subscription | null, take: Take | null = null): void {
    if (connection.state !== 'open') return;
    this.#stats.bytesSent += frame.length;
    if (this.#waiting.add(connection, frame)) take?.sent();
    else this.#queue(connection, { frame: this.#copyOf(frame), take }, subscription);
  }

  /** An answer or event of the gateway itself; leaves at once, behind everything collected before it. */
  send(connection: Connection, text: string, type: string): void {
    if (connection.state !== 'open') return;
    this.#stats.messagesSent.add(type);
    this.push(connection, Buffer.from(text), null);
    this.#waiting.flushOne(connection);
    this.flush();
  }

  /** Gives a frame to all members of a stream's native fan-out; false when there is none. */
  publish(native: NativeSubscribers, frame: Uint8Array): boolean {
    if (!this.#waiting.publish(native, frame)) return false;
    this.#tracing.tracer?.sentToMany(native.members, frame);
    this.#stats.bytesSent += frame.length * native.members.length;
    return true;
  }

  /** Keeps a frame for all members of a stream's backlog, until `fit` at the end of the batch. */
  keep(backlog: SlowSubscribers, frame: Uint8Array): void {
    const copy = this.#copyOf(frame);
    backlog.append(copy, nextArrival());
    this.#stats.bytesSent += copy.length * backlog.members.length;
    const { tracer } = this.#tracing;
    if (tracer !== null) for (const { connection } of backlog.members) tracer.slow(connection, copy);
  }

  /** Does what the policies of these members say about the frames that were kept for them. */
  fit(backlog: SlowSubscribers): void {
    // Backwards: one that is closed leaves the list.
    for (let at = backlog.members.length - 1; at >= 0; at--) {
      const subscription = backlog.members[at]!;
      const { connection, policy } = subscription;
      if (connection.state !== 'open') continue;
      this.#judge(connection.slowQueue!.fit(policy), connection, subscription);
    }
    backlog.forgetGiven();
  }

  /** Sends history at the pace of the socket: what it does not take waits in its slow queue, under no bound of its own. */
  replay(connection: Connection, frames: readonly Uint8Array[]): void {
    if (connection.state !== 'open') return;
    this.#waiting.settle(connection);
    const queue = (connection.slowQueue ??= this.#makeSlow(connection));
    for (const bytes of frames) {
      this.#stats.bytesSent += bytes.length;
      queue.push(REPLAY_POLICY, { stream: null, bytes, fate: null });
    }
    this.drained(connection);
  }

  /** Resolves to true when nothing waits in the connection's slow queue, to false when the connection has ended. */
  whenDrained(connection: Connection): Promise<boolean> {
    if (connection.state !== 'open') return Promise.resolve(false);
    if (connection.slowQueue === null || connection.slowQueue.length === 0) return Promise.resolve(true);
    const earlier = this.#drains.get(connection);
    return new Promise((resolve) => {
      this.#drains.set(connection, (isOpen) => {
        earlier?.(isOpen);
        resolve(isOpen);
      });
    });
  }

  /** Moves the subscription from single service to native fan-out. */
  joinGroup(subscription: Subscription, native: NativeSubscribers): void {
    this.#waiting.join(subscription, native);
  }

  /** Moves the subscription of a slow socket from single service to the backlog of its stream. */
  lag(subscription: Subscription): void {
    this.#waiting.lag(subscription);
  }

  /** Moves a subscription that is served with others to single service, at the position where its stream is. */
  serveSingly(subscription: Subscription): void {
    this.#waiting.serveSingly(subscription);
  }

  /** Out of its stream. */
  leaveStream(subscription: Subscription): void {
    this.#waiting.leave(subscription);
  }

  /** Sends what was collected; when it is for very many sockets, to most of them in turns of the loop that follow. */
  flush(): void {
    this.#copied = null;
    this.#waiting.flush();
  }

  /** Begins the turns of the fan-out groups, if they are not under way. */
  beginTurns(): void {
    this.#waiting.beginTurns();
  }

  close(connection: Connection, reason: CloseReason): void {
    if (connection.state === 'closing' || connection.state === 'closed') return;
    const { socket } = connection;
    if (socket === null) {
      connection.pendingClose ??= reason;
      return;
    }
    this.#waiting.settle(connection);
    connection.state = 'closing';
    connection.closing = reason;
    socket.end(reason.code, reason.reason);
  }

  /** The transport took something of the backlog: send what waits. */
  drained(connection: Connection): void {
    const { slowQueue, socket } = connection;
    if (slowQueue === null || socket === null || connection.state !== 'open') return;
    const { tracer } = this.#tracing;
    slowQueue.progressAtMs = this.#now();
    while (slowQueue.length > 0 && socket.bufferedBytes() < SOCKET_BUFFER_BYTES) {
      let bytes = 0;
      socket.cork(() => {
        for (let sent = 0; sent < DRAIN_FRAMES_PER_TURN && bytes < SOCKET_BUFFER_BYTES; sent++) {
          const frame = slowQueue.shift();
          if (frame === null) return;
          bytes += frame.length;
          const isBuffered = socket.send(frame) !== 'sent';
          tracer?.sent(connection, [frame]);
          if (isBuffered) return;
        }
      });
    }
    if (slowQueue.length > 0) return;
    if (socket.bufferedBytes() === 0) this.#recover(connection);
    this.#tellDrained(connection, true);
  }

  /** Gives a socket that the transport's own fan-out serves a slow queue when its backlog has grown. */
  lagging(connection: Connection): boolean {
    if (connection.slowQueue !== null) return true;
    if (connection.socket === null || connection.socket.bufferedBytes() < SOCKET_BUFFER_BYTES) return false;
    // What was put off for it is older than what its queue will hold.
    this.#waiting.flushOne(connection);
    connection.slowQueue ??= this.#makeSlow(connection);
    return true;
  }

  /** Closes sockets whose backlog has not moved for 30 s, and tells how much waits for the others. */
  everySecond(): void {
    const limitMs = this.#now() - STALLED_MS;
    let bytes = 0;
    let frames = 0;
    let backlogs = 0;
    for (const connection of this.#slow) {
      const { slowQueue, socket } = connection;
      if (slowQueue === null || socket === null) continue;
      const backlog = socket.bufferedBytes();
      if (backlog > 0) backlogs++;
      bytes += backlog + slowQueue.bytes;
      frames += slowQueue.length;
      if (slowQueue.progressAtMs < limitMs)
        this.close(connection, closeOver(stalledTopic(connection), 'slow_consumer'));
    }
    this.#stats.bufferedBytes = bytes;
    this.#stats.bufferedFrames = frames;
    this.#stats.transportBacklogs = backlogs;
    this.#stats.slowConnections = this.#slow.size;
  }

  /** The connection is gone: forget its queue. */
  forget(connection: Connection): void {
    connection.slowQueue?.abandon();
    connection.slowQueue = null;
    connection.outbox.length = 0;
    this.#slow.delete(connection);
    this.#tellDrained(connection, false);
  }

  /** Looked at after the cork: inside it every send says "sent". A send may also have closed the connection. */
  #sent(connection: Connection): void {
    this.#tracing.tracer?.sent(connection, connection.outbox);
    if (connection.state !== 'open' || connection.slowQueue !== null) return;
    if (connection.socket!.bufferedBytes() > 0) connection.slowQueue = this.#makeSlow(connection);
  }

  /**
   * Copies a frame once for all slow queues. What the engine hands over is a view into a batch many times as large, and
   * a message for many meets all the slow queues at once.
   */
  #copyOf(frame: Uint8Array): Uint8Array {
    if (this.#copied !== frame) {
      this.#copied = frame;
      this.#copy = Buffer.from(frame);
    }
    return this.#copy;
  }

  #queue(
    connection: Connection,
    { frame, take }: { frame: Uint8Array; take: Take | null },
    subscription: Subscription | null,
  ): void {
    const slowQueue = connection.slowQueue!;
    const policy = subscription?.policy ?? this.#answers;
    const stream = subscription?.localStream.stream ?? null;
    const verdict = slowQueue.push(policy, { stream, bytes: frame, fate: take });
    if (verdict !== 'full') take?.queued();
    const { tracer } = this.#tracing;
    if (verdict === 'full') tracer?.dropped(connection, frame, 'queue_full');
    else tracer?.slow(connection, frame);
    this.#judge(verdict, connection, subscription);
  }

  #judge(verdict: SlowVerdict, connection: Connection, subscription: Subscription | null): void {
    if (verdict === 'queued') return;
    this.#stats.slowConsumerActions.add((subscription?.policy ?? this.#answers).slow);
    if (verdict !== 'full') return;
    this.#stats.bufferOverflows++;
    this.close(connection, closeOver(subscription?.policy.name, 'slow_consumer'));
  }

  #makeSlow(connection: Connection): SlowQueue {
    this.#slow.add(connection);
    return new SlowQueue(this.#now(), (frame, policy) => this.#tracing.tracer?.dropped(connection, frame, policy));
  }

  #recover(connection: Connection): void {
    for (const subscription of connection.subscriptions) {
      if (subscription.cursor !== null) this.serveSingly(subscription);
    }
    connection.slowQueue = null;
    this.#slow.delete(connection);
  }

  #tellDrained(connection: Connection, isOpen: boolean): void {
    const tell = this.#drains.get(connection);
    this.#drains.delete(connection);
    tell?.(isOpen);
  }
}

/**
 * The topic whose message has waited longest for this socket. When the transport holds all that waits, only a connection
 * that gets nothing but one topic tells which that is; undefined: it cannot be told.
 */
function stalledTopic({ slowQueue, subscriptions }: Connection): string | undefined {
  const waiting = slowQueue?.oldest?.name;
  if (waiting !== undefined) return waiting;
  const names = new Set(subscriptions.map(({ policy }) => policy.name));
  return names.size === 1 ? subscriptions[0]!.policy.name : undefined;
}
