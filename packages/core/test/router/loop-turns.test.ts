import { setImmediate as turn } from 'node:timers/promises';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { LoopTurns } from '../../src/router/loop-turns.js';

describe('turns at the processor', () => {
  let turns: LoopTurns;
  let begun: number[];

  beforeEach(() => {
    turns = new LoopTurns();
    begun = [];
  });

  /** Tells what each turn of the loop begins, by the share it takes. */
  async function plan(shares: readonly number[]): Promise<number[][]> {
    for (const share of shares) void turns.next(() => share).then(() => begun.push(share));
    const plan: number[][] = [];
    while (plan.flat().length < shares.length) {
      await turn();
      plan.push(begun.splice(0));
    }
    return plan;
  }

  it('gives a full chunk a turn of its own', async () => {
    expect(await plan([1, 1, 1])).toEqual([[1], [1], [1]]);
  });

  it('lets small chunks share one, as much as a full chunk, first come first served', async () => {
    expect(await plan([0.25, 0.25, 0.5, 0.125, 1, 0.5])).toEqual([[0.25, 0.25, 0.5], [0.125], [1], [0.5]]);
  });

  it('looks at how much there is when the turn has come', async () => {
    let share = 0.1;
    for (let lane = 0; lane < 3; lane++) void turns.next(() => share).then(() => begun.push(lane));
    share = 1;
    await turn();
    expect(begun).toEqual([0]);
  });
});
