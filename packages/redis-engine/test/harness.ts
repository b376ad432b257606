import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { EngineStats, type Logger } from '@ws-gateway/core';
import { testRedisUrl } from '@ws-gateway/testkit';
import { Redis } from 'ioredis';
import { RedisEngine, type RedisEngineOptions } from '../src/index.js';

export const silent: Logger = {
  error: () => undefined,
  warn: () => undefined,
  info: () => undefined,
  debug: () => undefined,
  child: () => silent,
};

export function serverAt(url: string) {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port) };
}

/** Nodes with a key prefix of their own, so that tests can share a server. */
export async function createHarness(options: Partial<RedisEngineOptions> = {}) {
  const server = options.server ?? serverAt(testRedisUrl());
  const keyPrefix = `test-${randomUUID()}`;
  return {
    keyPrefix,
    createEngine(node: string, own: Partial<RedisEngineOptions> & { stats?: EngineStats } = {}) {
      const { stats = new EngineStats(), ...others } = own;
      const base = { node, role: 'all', server, keyPrefix, partitions: 1 } as const;
      return new RedisEngine({ logger: silent, stats }, { ...base, ...options, ...others });
    },
    elapse: (ms: number): Promise<void> => delay(ms),
    lose: () => deleteKeys(server, keyPrefix),
    stop: async () => undefined,
  };
}

async function deleteKeys({ host, port }: { host: string; port: number }, keyPrefix: string): Promise<void> {
  const admin = new Redis({ host, port });
  const keys = await admin.keys(`${keyPrefix}:*`);
  if (keys.length > 0) await admin.del(keys);
  admin.disconnect();
}

export function clusterServer(nodes: readonly { host: string; port: number }[]): RedisEngineOptions['server'] {
  return { ...nodes[0]!, cluster: { nodes } };
}
