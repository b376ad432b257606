import { describe, expect, it } from '@jest/globals';
import { newInbox } from '../src/inbox-state.js';
import { mergedBatches, type Entry } from '../src/merged-batches.js';

const LIMIT = 4;

/** What Redis has of an inbox and of the log beside it, in the order in which it was written. */
class Written {
  readonly inbox: Entry[] = [];
  readonly log: Entry[] = [];
  readonly order: string[] = [];

  toInbox(): void {
    const number = this.inbox.length + 1;
    this.order.push(`inbox ${number}`);
    this.inbox.push(entry(number, ['s', String(this.log.length)], ['m', 'body']));
  }

  toLog(): void {
    const number = this.log.length + 1;
    this.order.push(`log ${number}`);
    this.log.push(entry(number, ['m', 'body']));
  }
}

function entry(number: number, ...messages: [string, string][]): Entry {
  return [Buffer.from(`${number}-123456`), messages.flat().map((text) => Buffer.from(text))];
}

/** A node that reads both from their beginnings. */
class Reader {
  readonly #state = newInbox({ key: 'in', log: { key: 'log', last: '' } });
  readonly taken: string[] = [];
  lostOfLog = 0;

  /** Takes an answer; returns whether something of it is held. */
  take(found: { inbox: readonly Entry[]; log: readonly Entry[] }, isSnapshot = true): boolean {
    const { batches, isHeld } = mergedBatches(this.#state, found, { limit: LIMIT, isSnapshot });
    for (const { state, entry: batch, lostOfLog } of batches) {
      state.taken = Number.parseInt(batch[0].toString(), 10);
      this.taken.push(`${state.isShared ? 'log' : 'inbox'} ${state.taken}`);
      this.lostOfLog += lostOfLog;
    }
    return isHeld;
  }

  /** Takes all that is there now, up to the limit; returns whether that was anything. */
  read({ inbox, log }: Written): boolean {
    const before = this.taken.length;
    const behind = (entries: readonly Entry[], taken: number) => entries.slice(taken, taken + LIMIT);
    this.take({ inbox: behind(inbox, this.#state.taken), log: behind(log, this.#state.beside!.taken) });
    return this.taken.length > before;
  }
}

/** A sequence of numbers from 0 to 1 that is the same for each run. */
function* chances(seed: number): Generator<number> {
  for (let state = seed; ;) {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    yield state / 2 ** 31;
  }
}

describe('batches of an inbox and of the log beside it', () => {
  it('come in the order in which they were written, however they are cut into answers', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const chance = chances(seed);
      const next = () => chance.next().value as number;
      const shareOfLog = next();
      const [written, reader] = [new Written(), new Reader()];
      for (let step = 0; step < 40; step++) {
        for (let more = Math.floor(next() * 12); more > 0; more--) {
          if (next() < shareOfLog) written.toLog();
          else written.toInbox();
        }
        reader.read(written);
      }
      while (reader.read(written));
      expect([reader.taken, reader.lostOfLog]).toEqual([written.order, 0]);
    }
  });

  it('wait for the log where the answer may have come without it', () => {
    const reader = new Reader();
    const [inbox, log] = [entry(1, ['s', '1'], ['m', 'body']), entry(1, ['m', 'body'])];
    expect(reader.take({ inbox: [inbox], log: [] }, false)).toBe(true);
    expect(reader.taken).toEqual([]);
    expect(reader.take({ inbox: [inbox], log: [log] })).toBe(false);
    expect([reader.taken, reader.lostOfLog]).toEqual([['log 1', 'inbox 1'], 0]);
  });

  it('do not wait for what the log has no more: that is lost', () => {
    const reader = new Reader();
    expect(reader.take({ inbox: [entry(1, ['s', '3'], ['m', 'body'])], log: [] })).toBe(false);
    expect([reader.taken, reader.lostOfLog]).toEqual([['inbox 1'], 3]);
  });

  it('are taken as they come from a node of a release that does not know of the log', () => {
    const reader = new Reader();
    reader.take({ inbox: [entry(1, ['m', 'body'])], log: [entry(1, ['m', 'body'])] });
    expect(reader.taken).toEqual(['inbox 1', 'log 1']);
  });
});
