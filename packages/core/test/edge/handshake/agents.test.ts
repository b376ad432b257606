import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from '@jest/globals';
import { Agents } from '../../../src/edge/handshake/agents.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

// A part of a text keeps all of it: 2,000 connections with a header of 15 kB held 30 MB for as long as they lasted.
it('a long User-Agent is kept no longer than it is shown', () => {
  const agents = new Agents();
  const kept: string[] = [];
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  for (let at = 0; at < 1000; at++)
    kept.push(agents.shared(`${at} ${Buffer.alloc(15_000, 97 + (at % 20)).toString()}`));
  collectGarbage();
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(3_000_000);
  expect(kept.every((text) => text.length === 256)).toBe(true);
});

it('equal texts are one, and short ones stay as they are', () => {
  const agents = new Agents();
  expect([agents.shared('Firefox'), agents.shared('')]).toEqual(['Firefox', '']);
  expect(agents.shared('x'.repeat(300))).toBe('x'.repeat(256));
});
