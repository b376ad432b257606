import { describe, expect, test } from '@jest/globals';
import { ArrivalLog, mergeArrivals } from '../src/arrival-log.js';
import { isFaultless, verify } from '../src/verify.js';

/** Three users: record n is for user n modulo 3. */
const shape = { users: 3, records: 9 };

function logOf(arrived: readonly (readonly [n: number, user: number])[]): ArrivalLog {
  const log = new ArrivalLog(shape);
  for (const [i, [n, user]] of arrived.entries()) log.add(n, user, i + 1);
  return log;
}

const all = Array.from({ length: 9 }, (_, n) => [n, n % 3] as const);

describe('what arrived', () => {
  test('is faultless when each user has got each of its records once and in order', () => {
    const verdict = verify(logOf(all).arrivals(), 9);
    expect(verdict).toEqual({ received: 9, lost: 0, duplicates: 0, outOfOrder: 0, misdelivered: 0 });
    expect(isFaultless(verdict)).toBe(true);
  });

  test('may come in any order for different users', () => {
    const byUser = [0, 1, 2].flatMap((user) => all.filter(([, of]) => of === user));
    expect(isFaultless(verify(logOf(byUser).arrivals(), 9))).toBe(true);
  });

  test('counts a record that never came as lost, and one that was not produced yet as nothing', () => {
    const arrivals = logOf(all.filter(([n]) => n !== 4 && n !== 8)).arrivals();
    expect(verify(arrivals, 8)).toMatchObject({ received: 7, lost: 1, outOfOrder: 0 });
  });

  test('counts a record that came twice as a duplicate, whatever came between', () => {
    const arrivals = logOf([...all, [4, 1]]).arrivals();
    expect(verify(arrivals, 9)).toMatchObject({ received: 10, lost: 0, duplicates: 1, outOfOrder: 0 });
  });

  test('counts a record behind a later one of its user as out of order', () => {
    const arrivals = logOf([
      [0, 0],
      [6, 0],
      [3, 0],
    ]).arrivals();
    expect(verify(arrivals, 9)).toMatchObject({ duplicates: 0, outOfOrder: 1 });
  });

  test("counts another user's record as misdelivered, and it stays lost for its own", () => {
    const arrivals = logOf([[4, 2]]).arrivals();
    expect(verify(arrivals, 9)).toMatchObject({ misdelivered: 1, lost: 9 });
  });

  test('of several receivers is the sum of what each has got', () => {
    const parts = [0, 1].map((parity) => logOf(all.filter(([, user]) => user % 2 === parity)).arrivals());
    expect(verify(mergeArrivals(parts), 9)).toMatchObject({ received: 9, lost: 0 });
  });
});
