import { expect, it } from '@jest/globals';
import { idleTimeoutSeconds } from '../src/heartbeat.js';

it.each([
  [0, 0],
  [1, 9],
  [1000, 9],
  [4000, 12],
  [8000, 16],
  [12_000, 24],
  [20_000, 36],
  [25_000, 41],
  [60_000, 76],
  [3_600_000, 960],
])('a heartbeat of %i ms becomes an idleTimeout of %i s', (heartbeatMs, seconds) => {
  expect(idleTimeoutSeconds(heartbeatMs)).toBe(seconds);
});

it('never gives a value that uWebSockets.js ends the process for', () => {
  for (let ms = 1; ms < 2_000_000; ms += 997) {
    const idle = idleTimeoutSeconds(ms);
    expect(idle >= 8 && idle <= 960 && Number.isInteger(idle)).toBe(true);
  }
});
