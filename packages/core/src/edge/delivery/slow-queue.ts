import { slowPolicies } from '../../slow-policies.js';
import type { FrameFate, OfferedFrame, SlowShare, SlowVerdict } from '../../slow-policies/slow-policy.js';
import type { StreamPolicy } from '../../stream-policy.js';
import type { BacklogCursor } from './stream-backlog.js';

/** The part of a StreamPolicy that a slow queue needs; one object stands for one bound, whose values may change. */
export type SlowQueuePolicy = Pick<StreamPolicy, 'slow' | 'queueBytes'> & Partial<Pick<StreamPolicy, 'name'>>;

/** Frames that came for slow sockets so far. */
let arrivals = 0;

/** Numbers the frames that come for slow sockets: says which of two came first. */
export function nextArrival(): number {
  return ++arrivals;
}

/**
 * The queue of one socket that does not keep up. Each topic has its own bound and policy (slow-policies.ts), so a flood of
 * one topic takes nothing from another. Frames leave in the order in which they came, whatever their topics. It keeps the
 * frames as they are: the same one may lie in many queues, but must be a copy of its own (see Sender). Of a stream with many
 * subscribers it keeps only how far it is (see StreamBacklog).
 */
export class SlowQueue {
  /** Time of the last progress, ms on the caller's clock: a queue that never drains is closed. */
  progressAtMs: number;
  readonly #shares = new Map<SlowQueuePolicy, Share>();
  readonly #onDropped: DroppedListener;

  /** `onDropped` is told of each frame that a policy gives up. */
  constructor(nowMs: number, onDropped: DroppedListener = () => undefined) {
    this.progressAtMs = nowMs;
    this.#onDropped = onDropped;
  }

  get length(): number {
    let frames = 0;
    for (const share of this.#shares.values()) frames += share.length;
    return frames;
  }

  get bytes(): number {
    let bytes = 0;
    for (const share of this.#shares.values()) bytes += share.bytes;
    return bytes;
  }

  push(policy: SlowQueuePolicy, frame: OfferedFrame): SlowVerdict {
    return slowPolicies[policy.slow].offer(this.#shareOf(policy), frame);
  }

  /** What the cursor comes to waits in this queue, under this policy (see `fit`). */
  follow(policy: SlowQueuePolicy, cursor: BacklogCursor): void {
    this.#shareOf(policy).follow(cursor);
  }

  /** Does what the policy says about what has come to cursors. */
  fit(policy: SlowQueuePolicy): SlowVerdict {
    return slowPolicies[policy.slow].fit(this.#shareOf(policy));
  }

  /** Next frame to send, or null. */
  shift(): Uint8Array | null {
    return this.#oldestShare()?.first.shift() ?? null;
  }

  /** The policy of the frame that has waited longest; null: none waits. */
  get oldest(): SlowQueuePolicy | null {
    return this.#oldestShare()?.policy ?? null;
  }

  /** Its connection has ended. */
  abandon(): void {
    for (const share of this.#shares.values()) share.abandon();
  }

  #oldestShare(): Share | null {
    let oldest: Share | null = null;
    let oldestOrder = Infinity;
    // A client's topics are few, and those that it has waiting even fewer.
    for (const share of this.#shares.values()) {
      const { order } = share.first;
      if (order < oldestOrder) [oldest, oldestOrder] = [share, order];
    }
    return oldest;
  }

  #shareOf(policy: SlowQueuePolicy): Share {
    let share = this.#shares.get(policy);
    if (share === undefined) this.#shares.set(policy, (share = new Share(policy, this.#onDropped)));
    return share;
  }
}

export type DroppedListener = (frame: Uint8Array, policy: SlowQueuePolicy['slow']) => void;

/** Frames under one bound, in the order in which they came. */
class Share implements SlowShare {
  readonly policy: SlowQueuePolicy;
  readonly #onDropped: DroppedListener;
  readonly #own = new OwnFrames();
  #cursors: BacklogCursor[] = [];

  constructor(policy: SlowQueuePolicy, onDropped: DroppedListener) {
    this.policy = policy;
    this.#onDropped = onDropped;
  }

  get length(): number {
    let frames = this.#own.length;
    for (const cursor of this.#cursors) frames += cursor.length;
    return frames;
  }

  get bytes(): number {
    let { bytes } = this.#own;
    for (const cursor of this.#cursors) bytes += cursor.bytes;
    return bytes;
  }

  /** Where the frame lies that came first. */
  get first(): OwnFrames | BacklogCursor {
    let first: OwnFrames | BacklogCursor = this.#own;
    for (const cursor of this.#cursors) if (cursor.order < first.order) first = cursor;
    return first;
  }

  get isOver(): boolean {
    return this.bytes > this.policy.queueBytes && this.length > 1;
  }

  follow(cursor: BacklogCursor): void {
    this.#cursors = this.#cursors.filter(({ isOver }) => !isOver);
    this.#cursors.push(cursor);
  }

  hasRoomFor({ bytes: { length } }: OfferedFrame): boolean {
    const { bytes } = this;
    return bytes === 0 || bytes + length <= this.policy.queueBytes;
  }

  append(frame: OfferedFrame): void {
    this.#own.append(frame);
  }

  replace(frame: OfferedFrame): boolean {
    const replaced = this.#own.replace(frame);
    if (replaced !== null) this.#drop(replaced);
    return replaced !== null;
  }

  dropOldest(): void {
    const { first } = this;
    if (first instanceof OwnFrames) this.#drop(first.take());
    else this.#onDropped(first.shift(), this.policy.slow);
  }

  keepNewest(): boolean {
    let isActed = false;
    for (const cursor of this.#cursors) {
      for (; cursor.length > 1; isActed = true) this.#onDropped(cursor.skip(), this.policy.slow);
    }
    return isActed;
  }

  abandon(): void {
    this.#own.abandon();
    for (const cursor of this.#cursors) cursor.abandon();
  }

  /** Tells of a frame in two ways: its fate came with it, and a trace may begin when frames wait already. */
  #drop({ frame, fate }: Dropped): void {
    this.#onDropped(frame, this.policy.slow);
    fate?.dropped();
  }
}

type Dropped = Pick<Entry, 'frame' | 'fate'>;

/** Frames of this socket alone, oldest first. Taking the oldest costs the same however many wait. */
class OwnFrames {
  bytes = 0;
  #entries: (Entry | null)[] = [];
  #head = 0;
  /** The waiting frame of each stream that came last; made with the first one that may be replaced. */
  #newest: Map<string, Entry> | null = null;

  get length(): number {
    return this.#entries.length - this.#head;
  }

  get order(): number {
    return this.#entries[this.#head]?.order ?? Infinity;
  }

  append({ stream, bytes, fate }: OfferedFrame): void {
    const entry = { order: nextArrival(), stream, frame: bytes, fate };
    this.#entries.push(entry);
    this.bytes += bytes.length;
    if (stream !== null) this.#newest?.set(stream, entry);
  }

  /** The frame whose place this one takes; null: none of its stream waits. */
  replace({ stream, bytes, fate }: OfferedFrame): Dropped | null {
    if (stream === null) return null;
    const entry = (this.#newest ??= new Map()).get(stream);
    if (entry === undefined) return null;
    const replaced = { frame: entry.frame, fate: entry.fate };
    this.bytes += bytes.length - entry.frame.length;
    entry.frame = bytes;
    entry.fate = fate;
    return replaced;
  }

  shift(): Uint8Array {
    const { frame, fate } = this.take();
    fate?.left();
    return frame;
  }

  take(): Entry {
    const entry = this.#entries[this.#head];
    if (entry === null || entry === undefined) throw new Error('nothing waits in this share of the slow queue');
    this.#entries[this.#head++] = null;
    if (this.#head > 64 && this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
    this.bytes -= entry.frame.length;
    if (entry.stream !== null && this.#newest?.get(entry.stream) === entry) this.#newest.delete(entry.stream);
    return entry;
  }

  abandon(): void {
    for (const entry of this.#entries) entry?.fate?.left();
  }
}

interface Entry {
  readonly order: number;
  readonly stream: string | null;
  frame: Uint8Array;
  fate: FrameFate | null;
}
