import { describe, expect, test } from '@jest/globals';
import { socketsDue } from '../../../src/edge/node/drain.js';

describe('the pace of a drain', () => {
  test.each([
    [
      '20 sockets are gone within half a second, whatever the duration',
      { total: 20, elapsedMs: 400, durationMs: 30_000, due: 20 },
    ],
    ['50 sockets leave in a second at least', { total: 5000, elapsedMs: 100, durationMs: 3_600_000, due: 5 }],
    [
      'many sockets are spread over the whole duration',
      { total: 30_000, elapsedMs: 15_000, durationMs: 30_000, due: 15_000 },
    ],
    ['none is left when the duration is over', { total: 30_000, elapsedMs: 30_100, durationMs: 30_000, due: 30_000 }],
    ['without a duration all leave at once', { total: 30_000, elapsedMs: 100, durationMs: 0, due: 30_000 }],
  ])('%s', (_, { total, elapsedMs, durationMs, due }) => {
    expect(socketsDue(total, elapsedMs, durationMs)).toBe(due);
  });
});
