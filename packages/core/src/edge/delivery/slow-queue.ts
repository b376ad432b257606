import { slowPolicies } from '../../slow-policies.js';
import type { FrameFate, OfferedFrame, SlowShare, SlowVerdict } from '../../slow-policies/slow-policy.js';
import type { StreamPolicy } from '../../stream-policy.js';

/** The part of a StreamPolicy that a slow queue needs; one object stands for one bound, whose values may change. */
export type SlowQueuePolicy = Pick<StreamPolicy, 'slow' | 'queueBytes'>;

/**
 * The queue of one socket that does not keep up. Each topic has its own bound and policy (slow-policies.ts), so a flood of
 * one topic takes nothing from another. Frames leave in the order in which they came, whatever their topics. It keeps the
 * frames as they are: the same one may lie in many queues, but must be a copy of its own (see Sender).
 */
export class SlowQueue {
  /** Time of the last progress, ms on the caller's clock: a queue that never drains is closed. */
  progressAtMs: number;
  readonly #waiting: Waiting;
  readonly #shares = new Map<SlowQueuePolicy, Share>();

  /** `onDropped` is told of each frame that a policy gives up. */
  constructor(nowMs: number, onDropped: DroppedListener = () => undefined) {
    this.progressAtMs = nowMs;
    this.#waiting = { frames: 0, bytes: 0, pushed: 0, onDropped };
  }

  get length(): number {
    return this.#waiting.frames;
  }

  get bytes(): number {
    return this.#waiting.bytes;
  }

  push(policy: SlowQueuePolicy, frame: OfferedFrame): SlowVerdict {
    return slowPolicies[policy.slow].offer(this.#shareOf(policy), frame);
  }

  /** Next frame to send, or null. */
  shift(): Uint8Array | null {
    let first: Share | null = null;
    // A client's topics are few, and those that it has waiting even fewer.
    for (const share of this.#shares.values()) {
      if (share.oldest !== null && (first === null || share.oldest.order < first.oldest!.order)) first = share;
    }
    return first === null ? null : first.shift();
  }

  /** Its connection has ended. */
  abandon(): void {
    for (const share of this.#shares.values()) share.abandon();
  }

  #shareOf(policy: SlowQueuePolicy): Share {
    let share = this.#shares.get(policy);
    if (share === undefined) this.#shares.set(policy, (share = new Share(policy, this.#waiting)));
    return share;
  }
}

/** What waits in all shares of a queue. */
interface Waiting {
  frames: number;
  bytes: number;
  /** Frames that ever came: says which of two came first. */
  pushed: number;
  readonly onDropped: DroppedListener;
}

export type DroppedListener = (frame: Uint8Array, policy: SlowQueuePolicy['slow']) => void;

/** Frames under one bound, oldest first. Taking the oldest costs the same however many wait. */
class Share implements SlowShare {
  readonly #policy: SlowQueuePolicy;
  readonly #waiting: Waiting;
  #bytes = 0;
  #entries: (Entry | null)[] = [];
  #head = 0;
  /** The waiting frame of each stream that came last; made with the first one that may be replaced. */
  #newest: Map<string, Entry> | null = null;

  constructor(policy: SlowQueuePolicy, waiting: Waiting) {
    this.#policy = policy;
    this.#waiting = waiting;
  }

  get oldest(): Entry | null {
    return this.#entries[this.#head] ?? null;
  }

  hasRoomFor({ bytes }: OfferedFrame): boolean {
    return this.#bytes === 0 || this.#bytes + bytes.length <= this.#policy.queueBytes;
  }

  append({ stream, bytes, fate }: OfferedFrame): void {
    const entry = { order: ++this.#waiting.pushed, stream, frame: bytes, fate };
    this.#entries.push(entry);
    this.#count(1, bytes.length);
    if (stream !== null) this.#newest?.set(stream, entry);
  }

  replace({ stream, bytes, fate }: OfferedFrame): boolean {
    if (stream === null) return false;
    const entry = (this.#newest ??= new Map()).get(stream);
    if (entry === undefined) return false;
    this.#count(0, bytes.length - entry.frame.length);
    this.#drop(entry);
    entry.frame = bytes;
    entry.fate = fate;
    return true;
  }

  dropOldest(): void {
    this.#drop(this.#take());
  }

  shift(): Uint8Array {
    const { frame, fate } = this.#take();
    fate?.left();
    return frame;
  }

  abandon(): void {
    for (const entry of this.#entries) entry?.fate?.left();
  }

  /** Tells of a frame in two ways: its fate came with it, and a trace may begin when frames wait already. */
  #drop({ frame, fate }: Entry): void {
    this.#waiting.onDropped(frame, this.#policy.slow);
    fate?.dropped();
  }

  #take(): Entry {
    const entry = this.#entries[this.#head];
    if (entry === null || entry === undefined) throw new Error('nothing waits in this share of the slow queue');
    this.#entries[this.#head++] = null;
    if (this.#head > 64 && this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
    this.#count(-1, -entry.frame.length);
    if (entry.stream !== null && this.#newest?.get(entry.stream) === entry) this.#newest.delete(entry.stream);
    return entry;
  }

  #count(frames: number, bytes: number): void {
    this.#bytes += bytes;
    this.#waiting.bytes += bytes;
    this.#waiting.frames += frames;
  }
}

interface Entry {
  readonly order: number;
  readonly stream: string | null;
  frame: Uint8Array;
  fate: FrameFate | null;
}
