import { describe, expect, it } from '@jest/globals';
import { SharedReads } from '../../../src/edge/subscriptions/shared-reads.js';
import type { Engine, HistoryPage, Position } from '../../../src/index.js';

const stream = { stream: 'news/*', retention: { mode: 'ordered', size: 100, ttlMs: 60_000 }, user: null } as const;

/** Answers when it is told to, with the top it had when it was asked. */
class SlowEngine {
  top = 10;
  readonly asked: Position[] = [];
  readonly #answers: (() => void)[] = [];

  read(_: unknown, after: Position): Promise<HistoryPage> {
    this.asked.push(after);
    const page = { epoch: 'e', offset: this.top, recovered: true, messages: [] };
    return new Promise((resolve) => this.#answers.push(() => resolve(page)));
  }

  async answer(): Promise<void> {
    for (const answer of this.#answers.splice(0)) answer();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function parts() {
  const engine = new SlowEngine();
  return { engine, reads: new SharedReads(engine as unknown as Engine) };
}

const at = (offset: number): Position => ({ epoch: 'e', offset });
const from = (after: Position | null) => ({ after, bytesMax: 1000 });

describe('reads of the same history at the same time', () => {
  it('are one read for each position, however many ask', async () => {
    const { engine, reads } = parts();
    const pages = Array.from({ length: 5000 }, (_, i) => reads.read(stream, from(at(i % 2)), at(10)));
    await engine.answer();
    expect(new Set(await Promise.all(pages)).size).toBe(2);
    expect(engine.asked).toEqual([at(0), at(1)]);
    const later = reads.read(stream, from(at(0)), at(10));
    await engine.answer();
    await later;
    expect(engine.asked).toHaveLength(3);
  });

  // A page that was read before a connection was registered lacks what came between: nobody else would bring it.
  it('are made again for those who were told a later top than the page has', async () => {
    const { engine, reads } = parts();
    const early = reads.read(stream, from(at(5)), at(10));
    engine.top = 12;
    const late = [reads.read(stream, from(at(5)), at(12)), reads.read(stream, from(at(5)), at(11))];
    await engine.answer();
    expect((await early).offset).toBe(10);
    await engine.answer();
    expect((await Promise.all(late)).map(({ offset }) => offset)).toEqual([12, 12]);
    expect(engine.asked).toHaveLength(2);
  });

  it('that fail, fail for all who asked, and are made anew for the next', async () => {
    const failures = [new Error('away')];
    const engine = {
      read: async () => {
        const failure = failures.pop();
        if (failure !== undefined) throw failure;
        return { epoch: 'e', offset: 10, recovered: true, messages: [] };
      },
    };
    const reads = new SharedReads(engine as unknown as Engine);
    const both = [reads.read(stream, from(null), at(10)), reads.read(stream, from(null), at(10))];
    for (const one of both) await expect(one).rejects.toThrow('away');
    expect((await reads.read(stream, from(null), at(10))).offset).toBe(10);
  });
});
