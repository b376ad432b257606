import { MemoryEngine, type Engine, type EngineStats, type Logger, type Tracing } from '@ws-gateway/core';
import { RedisEngine, type RedisEngineOptions, type RedisServer } from '@ws-gateway/redis-engine';
import type { Config } from '../config/config.js';
import { clientTls } from './client-tls.js';

/** The engine that `engine` names. */
export function createEngine(
  config: Config,
  node: string,
  deps: {
    stats: EngineStats;
    tracing: Tracing;
    logger: Logger;
    onReaped: NonNullable<RedisEngineOptions['onReaped']>;
  },
): Engine {
  if (config.engine === 'memory') return new MemoryEngine({ node, stats: deps.stats, tracing: deps.tracing });
  const { onReaped } = deps;
  return new RedisEngine(deps, {
    onReaped,
    node,
    role: config.role,
    server: redisServer(config.redis),
    keyPrefix: config.redis.keyPrefix,
    partitions: config.redis.partitions,
    partitioner: config.redis.partitioner,
  });
}

/** Finds where Redis is, as `redis` says. */
export function redisServer(redis: Config['redis']): RedisServer {
  const nodes = redis.addr.map(hostAndPort);
  return {
    ...nodes[0]!,
    db: redis.db,
    ...(redis.username === '' ? {} : { username: redis.username }),
    ...(redis.password === '' ? {} : { password: redis.password }),
    ...(redis.tls ? { tls: clientTls(redis.tlsFiles) } : {}),
    ...(redis.mode === 'cluster' ? { cluster: { nodes } } : {}),
    ...(redis.mode === 'sentinel' ? { sentinel: sentinel(redis.sentinel) } : {}),
  };
}

function sentinel(settings: Config['redis']['sentinel']): NonNullable<RedisServer['sentinel']> {
  const { name, nodes, username, password } = settings;
  return {
    name,
    nodes: nodes.map(hostAndPort),
    ...(username === '' ? {} : { username }),
    ...(password === '' ? {} : { password }),
  };
}

function hostAndPort(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) };
}
