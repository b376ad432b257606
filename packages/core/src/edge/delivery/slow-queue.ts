import type { StreamPolicy } from '../../topics.js';
import type { Subscription } from './connection.js';

/** What became of a frame that a slow queue was given. */
export type SlowVerdict = 'queued' | 'conflated' | 'dropped_oldest' | 'overflow';

/**
 * The queue of one socket that does not keep up. Each topic has its own bound and policy, so a flood of one topic takes
 * nothing from another:
 * - `queue`: everything waits; over `queueBytes` the verdict is `overflow` and the connection must close (4001).
 * - `conflate`: the newest frame of a stream takes the place of the one that waits.
 * - `drop-oldest`: the topic's oldest waiting frame makes room.
 * It keeps the frames as they are: the same one may lie in many lanes, but must be a copy of its own (see Sender).
 */
export class SlowQueue {
  /** Time of the last progress, in ms of the caller's clock: the socket of a queue that never drains is closed. */
  progressAtMs: number;
  #count = 0;
  /** Number of frames so far, which says which of two came first. */
  #pushed = 0;
  readonly #shares = new Map<SlowQueuePolicy, Share>();
  /** Waiting frame by stream, for `conflate`. */
  readonly #newest = new Map<string, Entry>();

  constructor(nowMs: number) {
    this.progressAtMs = nowMs;
  }

  get length(): number {
    return this.#count;
  }

  push(subscription: Subscription | null, frame: Uint8Array, fallback: SlowQueuePolicy): SlowVerdict {
    const policy: SlowQueuePolicy = subscription?.policy ?? fallback;
    const share = this.#shareOf(policy);
    if (policy.slow === 'conflate' && subscription !== null) return this.#conflate(subscription, frame, share);
    let verdict: SlowVerdict = 'queued';
    // A single frame larger than the bound still goes: it could never be delivered otherwise.
    while (share.bytes > 0 && share.bytes + frame.length > policy.queueBytes) {
      if (policy.slow === 'queue') return 'overflow';
      this.#take(share);
      verdict = 'dropped_oldest';
    }
    this.#append(share, { order: ++this.#pushed, stream: null, frame });
    return verdict;
  }

  /** Next frame to send, or null. */
  shift(): Uint8Array | null {
    let first: Share | null = null;
    // A client's topics are few, and those that it has waiting even fewer.
    for (const share of this.#shares.values()) {
      if (share.oldest !== null && (first === null || share.oldest.order < first.oldest!.order)) first = share;
    }
    return first === null ? null : this.#take(first);
  }

  #conflate(subscription: Subscription, frame: Uint8Array, share: Share): SlowVerdict {
    const { stream } = subscription.localStream;
    const waiting = this.#newest.get(stream);
    if (waiting === undefined) {
      const entry = { order: ++this.#pushed, stream, frame };
      this.#newest.set(stream, entry);
      this.#append(share, entry);
      return 'queued';
    }
    share.replace(waiting, frame);
    return 'conflated';
  }

  #append(share: Share, entry: Entry): void {
    share.push(entry);
    this.#count++;
  }

  /** Takes the share's oldest frame; it has one. */
  #take(share: Share): Uint8Array {
    const entry = share.shift();
    this.#count--;
    if (entry.stream !== null) this.#newest.delete(entry.stream);
    return entry.frame;
  }

  #shareOf(policy: SlowQueuePolicy): Share {
    let share = this.#shares.get(policy);
    if (share === undefined) this.#shares.set(policy, (share = new Share()));
    return share;
  }
}

/** Frames that wait under one bound, oldest first. Taking the oldest costs the same however many wait. */
class Share {
  bytes = 0;
  #entries: (Entry | null)[] = [];
  #head = 0;

  get oldest(): Entry | null {
    return this.#entries[this.#head] ?? null;
  }

  push(entry: Entry): void {
    this.#entries.push(entry);
    this.bytes += entry.frame.length;
  }

  replace(entry: Entry, frame: Uint8Array): void {
    this.bytes += frame.length - entry.frame.length;
    entry.frame = frame;
  }

  shift(): Entry {
    const entry = this.#entries[this.#head];
    if (entry === null || entry === undefined) throw new Error('nothing waits in this share of the lane');
    this.#entries[this.#head++] = null;
    if (this.#head > 64 && this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
    this.bytes -= entry.frame.length;
    return entry;
  }
}

/** Part of a StreamPolicy that a slow queue needs; one object for each bound. */
export type SlowQueuePolicy = Pick<StreamPolicy, 'slow' | 'queueBytes'>;

interface Entry {
  readonly order: number;
  /** Stream of the frame in `conflate` mode; null in the others. */
  readonly stream: string | null;
  frame: Uint8Array;
}
