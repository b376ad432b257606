import { expect, test } from '@jest/globals';
import { RefusalLog } from '../../../src/edge/handshake/refusal-log.js';
import { RefusalError } from '../../../src/edge/refusals.js';
import { EdgeStats, type Logger } from '../../../src/index.js';

test('the first refusal of each code and address in a minute is told, and all are counted', () => {
  const told: unknown[] = [];
  const logger = { warn: (message: string, fields: object) => told.push({ message, ...fields }) } as unknown as Logger;
  const stats = new EdgeStats();
  let nowMs = 100_000;
  const log = new RefusalLog({ stats, logger }, () => nowMs);
  const blocked = new RefusalError('user_blocked', 'blocked');
  blocked.user = 'u1';
  for (let at = 0; at < 3; at++) log.refused(blocked, '10.0.0.1');
  log.refused(new RefusalError('token_expired', 'over'), '10.0.0.1');
  log.refused(blocked, '10.0.0.2');
  expect(told).toEqual([
    { message: 'handshake refused', code: 'user_blocked', address: '10.0.0.1', user: 'u1', reason: 'blocked' },
    { message: 'handshake refused', code: 'token_expired', address: '10.0.0.1', reason: 'over' },
    { message: 'handshake refused', code: 'user_blocked', address: '10.0.0.2', user: 'u1', reason: 'blocked' },
  ]);
  nowMs += 60_000;
  log.refused(blocked, '10.0.0.1');
  expect(told).toHaveLength(4);
  for (let at = 0; at < 5000; at++) log.refused(blocked, `10.1.${at >> 8}.${at & 255}`);
  expect(told).toHaveLength(3 + 1000);
  expect(stats.refusals.values.get('user_blocked')).toBe(5005);
});
