import { describe, expect, it } from '@jest/globals';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { sharedAnswer } from '../../src/http/shared-answer.js';

function busy(forMs: number): void {
  const untilMs = performance.now() + forMs;
  while (performance.now() < untilMs);
}

// Whoever reaches the port may ask for metrics, which cost a millisecond: a thousand times a second they were a core.
describe('an answer that anybody may ask for', () => {
  it('is made once for all who ask before it is begun, and never is older than the question', async () => {
    let made = 0;
    const answer = sharedAnswer(async () => {
      const mine = ++made;
      await nextTurn();
      return mine;
    });
    const first = [answer(), answer(), answer()];
    while (made === 0) await nextTurn();
    const second = answer();
    expect(await Promise.all([...first, second])).toEqual([1, 1, 1, 2]);
  });

  it('takes a small part of the time, however often it is asked for', async () => {
    let made = 0;
    const answer = sharedAnswer(async () => {
      made++;
      busy(5);
    });
    const beganMs = performance.now();
    while (performance.now() - beganMs < 500) await Promise.all(Array.from({ length: 20 }, answer));
    expect(made * 5).toBeLessThan((performance.now() - beganMs) / 5);
  });

  it('that failed is made again for who asks next', async () => {
    let made = 0;
    const answer = sharedAnswer(async () => {
      if (++made === 1) throw new Error('once');
      return made;
    });
    await expect(answer()).rejects.toThrow('once');
    expect(await answer()).toBe(2);
  });
});
