import { expect, test } from '@jest/globals';
import type { TraceStep } from '../../src/trace/trace-command.js';
import { TraceSteps } from '../../src/trace/trace-steps.js';

function step(n: number): TraceStep {
  return { event: 'sent', atMs: n, data: { id: `n-${n}`, user: null, node: 'n1', timestamp: '' } };
}

test('a node keeps a thousand steps of a trace until they are sent, and counts the others', () => {
  const steps = new TraceSteps({ user: 'u1' });
  expect(steps.take()).toBeNull();
  for (let n = 0; n < 1005; n++) steps.add(step(n));
  const taken = steps.take()!;
  expect([taken.steps.length, taken.steps.at(-1)!.atMs, taken.lost]).toEqual([1000, 999, 5]);
  // They could not be sent: the next ones say how many are missing.
  steps.lose(taken);
  steps.add(step(2000));
  expect(steps.take()).toEqual({ steps: [step(2000)], lost: 1005 });
  expect(steps.take()).toBeNull();
});
