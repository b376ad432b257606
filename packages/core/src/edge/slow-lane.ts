import type { StreamPolicy } from '../topics.js';
import type { Subscription } from './connection.js';

/** What became of a frame that a lane was given. */
export type LaneVerdict = 'queued' | 'conflated' | 'dropped_oldest' | 'overflow';

/**
 * The queue of one socket that does not keep up. Each topic has its own bound and policy, so a flood of one topic takes
 * nothing from another:
 * - `queue`: everything waits; over `queueBytes` the verdict is `overflow` and the connection must close (4001).
 * - `conflate`: the newest frame of a stream takes the place of the one that waits.
 * - `drop-oldest`: the topic's oldest waiting frame makes room.
 * Frames are copied: what the engine hands over is a view into a batch many times as large.
 */
export class SlowLane {
  /** Time of the last progress, ms on the caller's clock: a lane that never drains is closed. */
  progressAtMs: number;
  #queue: (Entry | null)[] = [];
  #head = 0;
  #count = 0;
  readonly #bytes = new Map<LanePolicy, number>();
  /** Waiting frame by stream, for `conflate`. */
  readonly #newest = new Map<string, Entry>();

  constructor(nowMs: number) {
    this.progressAtMs = nowMs;
  }

  get length(): number {
    return this.#count;
  }

  push(subscription: Subscription | null, frame: Uint8Array, fallback: LanePolicy): LaneVerdict {
    const policy: LanePolicy = subscription?.policy ?? fallback;
    if (policy.slow === 'conflate' && subscription !== null) return this.#conflate(subscription, frame, policy);
    let verdict: LaneVerdict = 'queued';
    // A single frame larger than the bound still goes: it could never be delivered otherwise.
    while (this.#bytesOf(policy) > 0 && this.#bytesOf(policy) + frame.length > policy.queueBytes) {
      if (policy.slow === 'queue' || !this.#dropOldest(policy)) return 'overflow';
      verdict = 'dropped_oldest';
    }
    this.#append({ policy, stream: null, frame: Buffer.from(frame) });
    return verdict;
  }

  /** Next frame to send, or null. */
  shift(): Uint8Array | null {
    while (this.#head < this.#queue.length) {
      const entry = this.#queue[this.#head];
      this.#queue[this.#head++] = null;
      if (this.#head > 64 && this.#head * 2 > this.#queue.length) {
        this.#queue = this.#queue.slice(this.#head);
        this.#head = 0;
      }
      if (entry === null || entry === undefined) continue;
      this.#forget(entry);
      return entry.frame;
    }
    return null;
  }

  #conflate(subscription: Subscription, frame: Uint8Array, policy: LanePolicy): LaneVerdict {
    const { stream } = subscription.channel;
    const waiting = this.#newest.get(stream);
    if (waiting === undefined) {
      const entry = { policy, stream, frame: Buffer.from(frame) };
      this.#newest.set(stream, entry);
      this.#append(entry);
      return 'queued';
    }
    this.#addBytes(policy, frame.length - waiting.frame.length);
    waiting.frame = Buffer.from(frame);
    return 'conflated';
  }

  #append(entry: Entry): void {
    this.#queue.push(entry);
    this.#count++;
    this.#addBytes(entry.policy, entry.frame.length);
  }

  #dropOldest(policy: LanePolicy): boolean {
    for (let at = this.#head; at < this.#queue.length; at++) {
      const entry = this.#queue[at];
      if (entry === null || entry === undefined || entry.policy !== policy) continue;
      this.#queue[at] = null;
      this.#forget(entry);
      return true;
    }
    return false;
  }

  #forget(entry: Entry): void {
    this.#count--;
    this.#addBytes(entry.policy, -entry.frame.length);
    if (entry.stream !== null) this.#newest.delete(entry.stream);
  }

  #bytesOf(policy: LanePolicy): number {
    return this.#bytes.get(policy) ?? 0;
  }

  #addBytes(policy: LanePolicy, bytes: number): void {
    this.#bytes.set(policy, this.#bytesOf(policy) + bytes);
  }
}

/** The part of a StreamPolicy that a lane needs; one object for one bound. */
export type LanePolicy = Pick<StreamPolicy, 'slow' | 'queueBytes'>;

interface Entry {
  readonly policy: LanePolicy;
  /** Set in `conflate` mode only. */
  readonly stream: string | null;
  frame: Uint8Array;
}
