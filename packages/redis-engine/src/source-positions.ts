import type { SourceClaim, SourceMark, SourcePosition, TopicSight } from '@ws-gateway/core';
import type { Calls } from './calls.js';
import { sourceName, type Keys } from './keys.js';

/**
 * Up to where records of source partitions were applied, by Redis partition: the rows in Redis, and what this process was
 * told of them. A row that is behind what was told says that Redis lost writes.
 */
export class SourcePositions {
  readonly #calls: Calls;
  readonly #keys: Keys;
  /** By source partition, then Redis partition; -1: nothing was told. */
  readonly #confirmed = new Map<string, number[]>();

  constructor(calls: Calls, keys: Keys) {
    this.#calls = calls;
    this.#keys = keys;
  }

  /** See Engine.sourcePositions. */
  async positions(topic: string, partition: number): Promise<readonly SourcePosition[]> {
    const rows = this.#keys.all().map((p) => {
      const keys = [this.#keys.source(p, topic, partition), this.#keys.sourceMark(p, topic, partition)];
      return this.#calls.of(p).command<(string | null)[]>('mget', keys);
    });
    const read = await Promise.all(rows);
    return read.map(([row, mark], p) => toPosition(row ?? '', mark ?? '', this.confirmed(topic, partition, p)));
  }

  /** See Engine.claimSource. */
  async claim(topic: string, partition: number, { seen, forget }: SourceClaim): Promise<boolean> {
    const forgotten = forget ? await this.#forget(topic, partition, seen) : seen.map(() => true);
    this.#confirmed.set(
      sourceName(topic, partition),
      seen.map(({ offset }, p) => (forget && forgotten[p] === true ? -1 : offset)),
    );
    return forgotten.every(Boolean);
  }

  /** See Engine.noteTopics. */
  async noteTopics(group: string, sights: readonly TopicSight[]): Promise<readonly TopicSight[]> {
    if (sights.length === 0) return [];
    const args = sights.flatMap(({ topic, state, atMs }) => [topic, `${state} ${atMs}`, state === 'begun' ? '1' : '']);
    const call = { keys: [this.#keys.key(0, 'TOPICS', group)], args };
    const kept = await this.#calls.of(0).run<string[]>('note-topics', call);
    return sights.map(({ topic }, i) => {
      const [state, atMs] = kept[i]!.split(' ');
      return { topic, state: state as TopicSight['state'], atMs: Number(atMs) };
    });
  }

  /** Up to where this process knows the source partition to be applied in the Redis partition. */
  confirmed(topic: string, partition: number, redisPartition: number): number {
    return this.#confirmed.get(sourceName(topic, partition))?.[redisPartition] ?? -1;
  }

  confirm(
    topic: string,
    partition: number,
    { redisPartition, offset }: { redisPartition: number; offset: number },
  ): void {
    const name = sourceName(topic, partition);
    let confirmed = this.#confirmed.get(name);
    if (confirmed === undefined) {
      confirmed = this.#keys.all().map(() => -1);
      this.#confirmed.set(name, confirmed);
    }
    if (offset > confirmed[redisPartition]!) confirmed[redisPartition] = offset;
  }

  async #forget(topic: string, partition: number, seen: readonly SourcePosition[]): Promise<boolean[]> {
    const calls = seen.map(({ row }, p) => {
      const keys = [this.#keys.source(p, topic, partition), this.#keys.sourceMark(p, topic, partition)];
      return this.#calls.of(p).run<number>('forget-source', { keys, args: [row] });
    });
    return (await Promise.all(calls)).map((done) => done === 1);
  }
}

/** A row is `<offset>`, or `<offset> <items>` in the middle of the record behind that offset. */
function toPosition(row: string, markText: string, confirmed: number): SourcePosition {
  const offset = row === '' ? -1 : Number.parseInt(row, 10);
  const mark = toMark(markText);
  // A mark beyond its row is of another log: a node that knows no marks has begun the row anew.
  return { offset, mark: mark !== null && mark.offset <= offset + 1 ? mark : null, confirmed, row };
}

function toMark(text: string): SourceMark | null {
  const [offset, proof, log = '', cluster = ''] = text.split(' ');
  return offset === undefined || proof === undefined ? null : { offset: Number(offset), proof, log, cluster };
}
