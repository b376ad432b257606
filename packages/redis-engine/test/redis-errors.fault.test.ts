import { afterEach, describe, expect, it } from '@jest/globals';
import { EngineError, EngineStats, type Logger, type PublishItem, type Retention } from '@ws-gateway/core';
import { startRedis, testRedisUrl, waitFor } from '@ws-gateway/testkit';
import { RecordingInbox } from '@ws-gateway/conformance/engine';
import { Redis, ReplyError } from 'ioredis';
import { RedisEngine } from '../src/index.js';
import { toEngineError } from '../src/script-errors.js';
import { createHarness, serverAt } from './harness.js';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const retention: Retention = { mode: 'ordered', size: 10, ttlMs: 60_000 };
const own = { stream: 't/u/u1', retention, user: 'u1' };
const message: PublishItem = {
  kind: 'user',
  topic: 't',
  user: 'u1',
  retention,
  head: `{"stream":"t/u/u1","epoch":"`,
  sourceOffset: -1,
  recordTimeMs: 1,
};

/** What a Redis answers that cannot serve for now, and how it comes to that. */
const troubles: Record<string, { begin: (admin: Redis) => Promise<unknown>; end: (admin: Redis) => Promise<unknown> }> =
  {
    OOM: {
      begin: (admin) => admin.config('SET', 'maxmemory', '1'),
      end: (admin) => admin.config('SET', 'maxmemory', '0'),
    },
    READONLY: {
      begin: (admin) => admin.replicaof('127.0.0.1', 1),
      end: (admin) => admin.replicaof('NO', 'ONE'),
    },
    MASTERDOWN: {
      begin: async (admin) => {
        await admin.config('SET', 'replica-serve-stale-data', 'no');
        await admin.replicaof('127.0.0.1', 1);
      },
      end: (admin) => admin.replicaof('NO', 'ONE'),
    },
    BUSY: {
      begin: async (admin) => {
        await admin.config('SET', 'lua-time-limit', '1');
        const runner = admin.duplicate();
        cleanups.push(async () => runner.disconnect());
        runner.eval('while true do end', 0).catch(() => undefined);
        await waitFor(() => admin.ping().then(() => false, isBusy), { what: 'a busy Redis' });
      },
      end: (admin) => admin.script('KILL'),
    },
  };

function isBusy(error: unknown): boolean {
  return String(error).includes('BUSY');
}

describe('a Redis that answers but cannot serve', () => {
  it.each(Object.keys(troubles))('%s is said to be unavailable, and heals', async (word) => {
    const redis = await startRedis();
    cleanups.push(() => redis.stop());
    const server = serverAt(`redis://${redis.address}`);
    const admin = new Redis(server);
    cleanups.push(async () => admin.disconnect());
    const engine = (await createHarness({ server })).createEngine('n1');
    await engine.start(new RecordingInbox());
    cleanups.push(() => engine.stop());
    await troubles[word]!.begin(admin);
    const results = await Promise.allSettled([
      engine.publish({ source: null, items: [message] }),
      engine.positions([own]),
      engine.admit({ connection: 'c1', user: 'u1', endpoint: '/ws', sinceMs: 1, streams: [], sessions: null }),
      engine.block('u1', { reason: 'x', expiresAtMs: null }),
    ]);
    // A look at a stream that was never written takes no memory.
    const [told] = word === 'OOM' ? results.splice(1, 1) : [];
    expect(told?.status).toBe(word === 'OOM' ? 'fulfilled' : undefined);
    for (const result of results) {
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'unavailable', retryable: true } });
      expect(String((result as PromiseRejectedResult).reason)).toContain(word);
    }
    await troubles[word]!.end(admin);
    const publishes = () => engine.publish({ source: null, items: [message] }).then(({ offline }) => offline === 1);
    await waitFor(() => publishes().catch(() => false), { what: 'a publish' });
    await waitFor(() => engine.healthy, { what: 'healthy' });
  });

  it.each([
    'LOADING Redis is loading the dataset in memory',
    'CLUSTERDOWN The cluster is down',
    "ERR ACL failure in script: User gateway has no permissions to run the 'zadd' command script: on @user_script:27.",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "-OOM command not allowed when used memory > 'maxmemory'. script: 1f, on @user_script:1.",
  ])('%s is unavailable', (text) => {
    expect(toEngineError(new ReplyError(text), 'publish').code).toBe('unavailable');
  });

  it.each(["ERR unknown command 'nope'", 'WRONGTYPE Operation against a key', 'ERR user_script:1: attempt to call'])(
    '%s is a defect',
    (text) => {
      const error = toEngineError(new ReplyError(text), 'publish');
      expect([error instanceof EngineError, error.code, error.retryable]).toEqual([true, 'internal', false]);
    },
  );
});

describe('the log', () => {
  it('says nothing of a connection lost when the engine is stopped', async () => {
    const lines: string[] = [];
    const log = (line: string): void => void lines.push(line);
    const logger: Logger = { error: log, warn: log, info: log, debug: log, child: () => logger };
    const options = { node: 'n1', role: 'all', server: serverAt(testRedisUrl()), partitions: 2 } as const;
    const { keyPrefix } = await createHarness();
    const engine = new RedisEngine({ logger, stats: new EngineStats() }, { ...options, keyPrefix });
    await engine.start(new RecordingInbox());
    await engine.stop();
    const admin = new Redis(testRedisUrl());
    await waitFor(async () => !String(await admin.client('LIST')).includes(keyPrefix), { what: 'no connection' });
    await admin.quit();
    expect(lines).toEqual([]);
  });
});
