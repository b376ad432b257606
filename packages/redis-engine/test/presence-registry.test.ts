import { describe, expect, it } from '@jest/globals';
import { EngineError, EngineStats } from '@ws-gateway/core';
import type { Calls } from '../src/calls.js';
import type { TopReads } from '../src/top-reads.js';
import { Keys } from '../src/keys.js';
import type { Membership } from '../src/membership.js';
import type { Settings } from '../src/options.js';
import { PresenceRegistry } from '../src/presence-registry.js';
import type { Publisher } from '../src/publisher.js';
import type { SilentNodes } from '../src/silent-nodes.js';

describe('a release whose call has no answer in time', () => {
  /** Calls to a store whose releases are answered when a test says so. */
  function registry() {
    const released: (readonly (string | number)[])[] = [];
    let fail = (): void => undefined;
    const run = (name: string, { args }: { args: readonly (string | number)[] }) => {
      if (name !== 'release') return Promise.resolve(['admitted']);
      released.push(args);
      return new Promise((_, reject) => {
        fail = () => reject(new EngineError('unavailable', 'no answer'));
      });
    };
    const calls = { of: () => ({ run, server: '100000' }), send: () => undefined } as unknown as Calls;
    const membership = { name: 'n1~1', confirmed: () => undefined } as Membership;
    const keys = new Keys('test', { partitions: 1 });
    const others = { tops: {} as TopReads, silent: {} as SilentNodes, publisher: {} as Publisher };
    const parts = { calls, keys, membership, ...others };
    const sessions = new PresenceRegistry(parts, { stats: new EngineStats(), settings: {} as Settings });
    return { sessions, released, fail: () => fail() };
  }
  const row = { connection: 'c1', user: 'u1' };
  const request = { ...row, endpoint: '/ws', sinceMs: 1, streams: [], sessions: null };

  it('is made again with the next one', async () => {
    const { sessions, released, fail } = registry();
    const first = sessions.release([row]);
    await new Promise(setImmediate);
    fail();
    await first;
    sessions.flush().catch(() => undefined);
    await new Promise(setImmediate);
    expect(released).toEqual([
      ['c1', 'u1'],
      ['c1', 'u1'],
    ]);
  });

  // The repetition took the row of a live connection away, which nothing would write again.
  it('is not made again when the connection was admitted for the same user meanwhile', async () => {
    const { sessions, released, fail } = registry();
    const first = sessions.release([row]);
    await new Promise(setImmediate);
    expect(await sessions.admit(request)).toMatchObject({ status: 'admitted' });
    fail();
    await first;
    await sessions.flush();
    expect(released).toEqual([['c1', 'u1']]);
  });
});
