import { setImmediate as turn, setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { RecordingInbox } from '@ws-gateway/conformance/engine';
import { waitFor } from '@ws-gateway/testkit';
import type { RedisEngine } from '../src/index.js';
import { createHarness } from './harness.js';

/** A node that has more to do than it can, as when the clients of a dead one come to it all at once. */

/** Time in ms for which nothing was heard of the registration: from then on it does not count. */
const STALE_MS = 3000;
const own = { stream: 't/u/u1', retention: { mode: 'ordered', size: 10, ttlMs: 60_000 }, user: 'u1' } as const;

let engine: RedisEngine | null = null;
afterEach(() => engine?.stop());

async function start(options: object): Promise<RedisEngine> {
  engine = (await createHarness(options)).createEngine('n1');
  await engine.start(new RecordingInbox());
  return engine;
}

function holdLoop(ms: number): void {
  const untilMs = performance.now() + ms;
  while (performance.now() < untilMs);
}

describe('a node whose event loop is busy', () => {
  // The time limit was looked at before the socket was: what Redis had said long ago was thrown away, and clients refused.
  it('takes an answer that came in time, however late it looks at it', async () => {
    const node = await start({ callTimeoutMs: 500 });
    const positions = node.positions([own]);
    // It is written at the end of this turn, and the answer cannot be read before the next one.
    await turn();
    holdLoop(5000);
    await expect(positions).resolves.toMatchObject([{ offset: 0 }]);
  });

  // Thousands were refused for a late refresh while others were let in by the same Redis.
  it('counts as registered for as long as Redis takes rows of it, also when its refresh is late', async () => {
    const node = await start({ refreshMs: 600_000 });
    let admittedMs = performance.now();
    const untilMs = admittedMs + 1.5 * STALE_MS;
    for (let at = 0; performance.now() < untilMs; at++) {
      const [connection, user] = [`c${at}`, `u${at}`];
      await node.admit({ connection, user, endpoint: '/ws', sinceMs: 1, streams: [], sessions: null });
      // On a machine that did not give us a turn for so long nothing is promised.
      if (performance.now() - admittedMs > STALE_MS) return;
      admittedMs = performance.now();
      expect(node.healthy).toBe(true);
      await delay(100);
    }
    await waitFor(() => !node.healthy, { what: 'nothing was heard any more' });
  });
});
