import { closeReason, type CloseReason } from '../../close-codes.js';
import type { EdgeStats } from '../../stats.js';
import type { Connection, Subscription } from './connection.js';
import { SlowQueue, type SlowQueuePolicy } from './slow-queue.js';
import type { FanOutScheduler } from './fan-out-scheduler.js';

/** Bytes that a slow socket may have in the transport's own buffer before its lane waits for it. */
const SOCKET_BUFFER_BYTES = 64 * 1024;

/** Nothing drained for so long: the peer is gone or stalled for good, and is closed with 4001. */
const STALLED_MS = 30_000;

/**
 * Sockets written to in one turn of the event loop: at 7 µs each, what goes to all 15,000 would keep everything else
 * waiting for 0.1 s. Not fewer than the messages of a batch, or what comes in a burst would be put off for ever.
 */
const SOCKETS_PER_TURN = 512;

/** Frames sent in one cork while a lane drains, so that one recovering socket doesn't hold the loop. */
const DRAIN_FRAMES_PER_TURN = 256;

/**
 * The last step to a socket. Guarantees per connection: frames leave in the order given; none is skipped in silence
 * (what a policy drops is counted, what may not be dropped closes 4001); all frames of one batch ride in one system
 * call. A socket that does not keep up gets a SlowLane until it has drained, and costs nobody else anything.
 */
export class Sender {
  readonly #stats: EdgeStats;
  readonly #scheduler: FanOutScheduler;
  readonly #answers: SlowQueuePolicy;
  readonly #now: () => number;
  /** Connections with a filled outbox. */
  #dirty: Connection[] = [];
  /** Those with a filled outbox that wait for a turn. */
  #later: Connection[] = [];
  readonly #slow = new Set<Connection>();
  /** The last frame that was put into a lane, and the copy that its lanes share. */
  #copied: Uint8Array | null = null;
  #copy: Uint8Array = new Uint8Array();

  constructor(
    { stats, scheduler }: { stats: EdgeStats; scheduler: FanOutScheduler },
    options: { answerQueueBytes: number; now?: () => number },
  ) {
    this.#stats = stats;
    this.#scheduler = scheduler;
    this.#answers = { slow: 'queue', queueBytes: options.answerQueueBytes };
    this.#now = options.now ?? (() => performance.now());
  }

  /** Collects a frame until `flush`. `subscription` null: an answer, a room-less broadcast or another frame without topic. */
  push(connection: Connection, frame: Uint8Array, subscription: Subscription | null): void {
    if (connection.state !== 'open') return;
    this.#scheduler.settleFor(connection);
    this.#stats.bytesSent += frame.length;
    if (connection.slowQueue !== null) {
      this.#queue(connection, connection.slowQueue, { frame: this.#copyOf(frame), subscription });
      return;
    }
    if (connection.outbox.push(frame) === 1) this.#dirty.push(connection);
  }

  /** An answer or event of the gateway itself; leaves at once, behind everything collected before it. */
  send(connection: Connection, text: string, type: string): void {
    if (connection.state !== 'open') return;
    this.#stats.messagesSent.add(type);
    this.push(connection, Buffer.from(text), null);
    this.#flushOne(connection);
    this.flush();
  }

  /** Sends what was collected; when it is for very many sockets, to most of them in turns of the loop that follow. */
  flush(): void {
    this.#copied = null;
    if (this.#dirty.length === 0) return;
    const dirty = this.#dirty;
    this.#dirty = [];
    if (dirty.length > SOCKETS_PER_TURN) this.#putOff(dirty.splice(SOCKETS_PER_TURN));
    for (const connection of dirty) this.#flushOne(connection);
  }

  /** Sends everything that was collected, now. */
  flushAll(): void {
    this.flush();
    for (const connection of this.#later.splice(0)) this.#flushOne(connection);
  }

  close(connection: Connection, reason: CloseReason): void {
    if (connection.state === 'closing' || connection.state === 'closed') return;
    const { socket } = connection;
    if (socket === null) {
      connection.pendingClose ??= reason;
      return;
    }
    if (connection.outbox.length > 0) this.#flushOne(connection);
    this.#scheduler.settleFor(connection);
    connection.state = 'closing';
    connection.closing = reason;
    socket.end(reason.code, reason.reason);
  }

  /** The transport took something of the backlog: send what waits. */
  drained(connection: Connection): void {
    const { slowQueue, socket } = connection;
    if (slowQueue === null || socket === null || connection.state !== 'open') return;
    slowQueue.progressAtMs = this.#now();
    while (slowQueue.length > 0 && socket.bufferedBytes() < SOCKET_BUFFER_BYTES) {
      const before = slowQueue.length;
      socket.cork(() => {
        for (let sent = 0; sent < DRAIN_FRAMES_PER_TURN; sent++) {
          const frame = slowQueue.shift();
          if (frame === null) return;
          if (socket.send(frame) !== 'sent') return;
        }
      });
      this.#stats.bufferedFrames -= before - slowQueue.length;
    }
    if (slowQueue.length === 0 && socket.bufferedBytes() === 0) this.#recover(connection);
  }

  /** Puts a socket that the transport's own fan-out serves into the slow lane when its backlog has grown. */
  lagging(connection: Connection): boolean {
    if (connection.slowQueue !== null) return true;
    if (connection.socket === null || connection.socket.bufferedBytes() < SOCKET_BUFFER_BYTES) return false;
    this.#enterLane(connection);
    return true;
  }

  /** Closes sockets whose backlog has not moved for 30 s. */
  everySecond(): void {
    const limitMs = this.#now() - STALLED_MS;
    for (const connection of this.#slow) {
      if (connection.slowQueue !== null && connection.slowQueue.progressAtMs < limitMs)
        this.#closeSlow(connection, null);
    }
  }

  /** The connection is gone: forget its queue. */
  forget(connection: Connection): void {
    if (connection.slowQueue !== null) this.#stats.bufferedFrames -= connection.slowQueue.length;
    connection.slowQueue = null;
    connection.outbox.length = 0;
    this.#slow.delete(connection);
  }

  #putOff(connections: readonly Connection[]): void {
    if (this.#later.length === 0) setImmediate(() => this.#runTurn());
    this.#later = this.#later.concat(connections);
  }

  #runTurn(): void {
    for (const connection of this.#later.splice(0, SOCKETS_PER_TURN)) this.#flushOne(connection);
    if (this.#later.length > 0) setImmediate(() => this.#runTurn());
  }

  #flushOne(connection: Connection): void {
    const { outbox, socket } = connection;
    if (socket === null || outbox.length === 0) return;
    if (outbox.length === 1) {
      socket.send(outbox[0]!);
    } else {
      socket.cork(() => {
        for (const frame of outbox) socket.send(frame);
      });
    }
    outbox.length = 0;
    // Looked at after the cork: inside it every send says "sent". A send may also have closed the connection.
    if (connection.state === 'open' && connection.slowQueue === null && socket.bufferedBytes() > 0)
      this.#enterLane(connection);
  }

  /**
   * What the engine hands over is a view into a batch many times as large, so lanes keep a copy: one for all of them,
   * because a message for many meets all the slow ones at once.
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
    slowQueue: SlowQueue,
    item: { frame: Uint8Array; subscription: Subscription | null },
  ): void {
    const before = slowQueue.length;
    const verdict = slowQueue.push(item.subscription, item.frame, this.#answers);
    this.#stats.bufferedFrames += slowQueue.length - before;
    if (verdict === 'queued') return;
    this.#stats.slowConsumerActions.add(
      verdict === 'overflow' ? 'queue' : verdict === 'conflated' ? 'conflate' : 'drop-oldest',
    );
    if (verdict !== 'overflow') return;
    this.#stats.bufferOverflows++;
    this.#closeSlow(connection, item.subscription);
  }

  #closeSlow(connection: Connection, subscription: Subscription | null): void {
    const topic = subscription?.policy.name;
    this.close(connection, { ...closeReason('slow_consumer'), ...(topic === undefined ? {} : { topic }) });
  }

  #enterLane(connection: Connection): void {
    connection.slowQueue = new SlowQueue(this.#now());
    this.#slow.add(connection);
  }

  #recover(connection: Connection): void {
    connection.slowQueue = null;
    this.#slow.delete(connection);
  }
}
