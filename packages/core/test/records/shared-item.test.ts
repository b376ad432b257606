import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from '@jest/globals';
import { topicPolicy } from '../policies.js';
import { decode, items, record } from './decode-kit.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const policy = topicPolicy('notifications');

const blocks = topicPolicy('user-blocks', { blocks: true });
/** Headers of a record whose writer takes the block to the engine, too. */
const APPLIED = { 'ws-applied': '1', 'ws-id': 'b-1' };
const filler = 'x'.repeat(3000);

describe('the items of a record for many users', () => {
  // Each collection while the record was on its way copied 15 MB of them, for 10 ms.
  it.each([
    ['messages', policy, filler],
    ['blocks', blocks, { blocked: true, filler }],
  ])('keep no frame for each user, also when all of them were written: %s', (_, ofTopic, payload) => {
    const users = Array.from({ length: 5000 }, (_, user) => `user-${user}`);
    const source = record({ users, payload });
    const made = items(decode(ofTopic, source, { maxRecordBytes: 1_000_000 }));
    collectGarbage();
    const before = process.memoryUsage().heapUsed;
    let bytes = 0;
    // What has to know its bytes makes V8 put a text together for good.
    for (const { head } of made) bytes += Buffer.byteLength(head);
    collectGarbage();
    expect(bytes).toBeGreaterThan(15_000_000);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(5_000_000);
    expect(made).toHaveLength(5000);
  });

  it('have the frame of their own user, and what the record says of them all', () => {
    const source = record({ users: ['ann', 'bob'], payload: 1 }, { headers: { 'ws-ttl-ms': '60000' } });
    for (const [at, user] of ['ann', 'bob'].entries()) {
      const item = items(decode(policy, source))[at]!;
      expect(item).toMatchObject({ kind: 'user', user, topic: 'notifications', sourceOffset: 42 });
      expect(item.head).toContain(`"user_id":"${user}"`);
      expect(item.endsAtMs).toBe(source.timestamp + 60_000);
    }
  });

  it('say of each user that he is blocked, and by which step', () => {
    const source = record({ users: ['ann', 'bob'], payload: { blocked: true, reason: 'why' } }, { headers: APPLIED });
    for (const [at, user] of ['ann', 'bob'].entries()) {
      const item = items(decode(blocks, source))[at]!;
      expect(item).toMatchObject({ kind: 'block', user, block: { reason: 'why' }, step: 'b-1', sourceOffset: 42 });
      expect(item.head).toContain(`"user_id":"${user}"`);
    }
  });
});
