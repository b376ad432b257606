import type { SourceRange } from '../engine.js';
import { EngineError } from '../errors.js';
import type { TopicSight } from '../record-source.js';
import type { SourceClaim, SourceMark, SourcePosition } from '../source-position.js';

type Source = Pick<SourceRange, 'topic' | 'partition'>;

interface SourceRow {
  /** Number that stands for the partition, from 1 on. */
  readonly number: number;
  offset: number;
  mark: SourceMark | null;
}

/** Where the records of each Kafka partition are, and how the group first saw its topics. */
export class MemorySources {
  readonly #rows = new Map<string, SourceRow>();
  readonly #sights = new Map<string, TopicSight>();

  /** Number that stands for the partition in messages; it never changes. */
  numberOf(source: Source): number {
    return this.#row(source).number;
  }

  appliedOf(source: Source): number {
    return this.#row(source).offset;
  }

  /** Throws `source_gap` when the call before this one was not applied. */
  appliedBefore(source: SourceRange): number {
    const applied = this.appliedOf(source);
    if (source.previousOffset >= 0 && applied < source.previousOffset) {
      throw new EngineError('source_gap', `the call up to source offset ${source.previousOffset} was not applied`);
    }
    return applied;
  }

  apply(source: SourceRange): void {
    const row = this.#row(source);
    if (source.lastOffset <= row.offset) return;
    row.offset = source.lastOffset;
    row.mark = source.mark ?? null;
  }

  positions(source: Source): readonly SourcePosition[] {
    const { offset, mark } = this.#row(source);
    return [{ offset, mark, confirmed: offset, row: String(offset) }];
  }

  claim(source: Source, { seen, forget }: SourceClaim): boolean {
    const row = this.#row(source);
    if (seen[0]?.row !== String(row.offset)) return !forget;
    if (forget) Object.assign(row, { offset: -1, mark: null });
    return true;
  }

  noteTopics(group: string, sights: readonly TopicSight[]): readonly TopicSight[] {
    return sights.map((sight) => {
      const key = `${group} ${sight.topic}`;
      const kept = this.#sights.get(key);
      if (kept !== undefined && sight.state !== 'begun') return kept;
      this.#sights.set(key, sight);
      return sight;
    });
  }

  #row({ topic, partition }: Source): SourceRow {
    const key = `${topic}:${partition}`;
    let row = this.#rows.get(key);
    if (row === undefined) this.#rows.set(key, (row = { number: this.#rows.size + 1, offset: -1, mark: null }));
    return row;
  }
}
