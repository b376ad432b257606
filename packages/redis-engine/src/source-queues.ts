import { EngineError, type SourceRange } from '@ws-gateway/core';
import { sourceName } from './keys.js';
import { PacedCalls, type Portion } from './paced-calls.js';
import type { SourcePositions } from './source-positions.js';

/**
 * Knows what was sent of each source partition since it was taken up, so that a call can name the one it must follow.
 * With several Redis partitions each has its own source position, and a partition that got nothing from the call before
 * must not be taken for one that missed it: so the offset to follow is remembered for each.
 */
export class SourceQueues {
  readonly #lanes = new Map<string, SourceQueue>();
  readonly #sources: Pick<SourcePositions, 'confirmed'>;

  constructor(sources: Pick<SourcePositions, 'confirmed'>) {
    this.#sources = sources;
  }

  /** The lane for a call. A call that follows nothing this process sent cannot be proved to be in order. */
  next(source: SourceRange): SourceQueue {
    const key = sourceName(source.topic, source.partition);
    let lane = this.#lanes.get(key);
    if (source.previousOffset < 0) {
      const { topic, partition } = source;
      lane = new SourceQueue((redisPartition) => this.#sources.confirmed(topic, partition, redisPartition));
      this.#lanes.set(key, lane);
    } else if (lane === undefined || lane.broken || lane.lastOffset !== source.previousOffset) {
      throw sourceGap(source.previousOffset);
    }
    lane.lastOffset = source.lastOffset;
    return lane;
  }
}

export class SourceQueue {
  lastOffset = -1;
  broken = false;
  readonly #sent = new Map<number, number>();
  readonly #confirmed: (partition: number) => number;
  readonly #calls = new PacedCalls();

  constructor(confirmed: (partition: number) => number) {
    this.#confirmed = confirmed;
  }

  /** Notes what is sent to a Redis partition now; returns what was sent before it, or is known to be there, or -1. */
  advance(partition: number, lastOffset: number): number {
    const previous = this.#sent.get(partition) ?? this.#confirmed(partition);
    this.#sent.set(partition, lastOffset);
    return previous;
  }

  /**
   * Makes the calls of one publish. A failure breaks the lane: what was sent behind it is refused, also if it was applied,
   * and what still waits is not sent.
   */
  async run<P extends Portion, Reply>(portions: readonly P[], call: (portion: P) => Promise<Reply>): Promise<Reply[]> {
    const replies = await this.#calls.run(portions, (portion) => this.#call(portion, call));
    if (this.broken) throw sourceGap(this.lastOffset);
    return replies;
  }

  async #call<P, Reply>(portion: P, call: (portion: P) => Promise<Reply>): Promise<Reply> {
    if (this.broken) throw sourceGap(this.lastOffset);
    try {
      return await call(portion);
    } catch (error) {
      this.broken = true;
      throw error;
    }
  }
}

function sourceGap(offset: number): EngineError {
  return new EngineError('source_gap', `the call up to source offset ${offset} was not applied`);
}
