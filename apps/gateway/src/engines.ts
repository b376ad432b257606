import { readFileSync } from 'node:fs';
import { MemoryEngine, type Engine, type EngineStats, type Logger } from '@ws-gateway/core';
import { RedisEngine, type RedisEngineOptions, type RedisServer } from '@ws-gateway/redis-engine';
import type { Config } from './config/config.js';

/** The engine that `engine` names. */
export function createEngine(
  config: Config,
  node: string,
  deps: { stats: EngineStats; logger: Logger; onReaped: NonNullable<RedisEngineOptions['onReaped']> },
): Engine {
  if (config.engine === 'memory') return new MemoryEngine({ node, stats: deps.stats });
  const { onReaped } = deps;
  return new RedisEngine(deps, {
    onReaped,
    node,
    role: config.role,
    server: redisServer(config.redis),
    keyPrefix: config.redis.keyPrefix,
    partitions: config.redis.partitions,
  });
}

function redisServer(redis: Config['redis']): RedisServer {
  const { host, port } = hostAndPort(redis.addr[0]!);
  return {
    host,
    port,
    db: redis.db,
    ...(redis.username === '' ? {} : { username: redis.username }),
    ...(redis.password === '' ? {} : { password: redis.password }),
    ...(redis.tls ? { tls: {} } : {}),
    ...(redis.mode === 'sentinel' ? { sentinel: sentinel(redis.sentinel) } : {}),
  };
}

function sentinel(settings: Config['redis']['sentinel']): NonNullable<RedisServer['sentinel']> {
  const { name, nodes, password } = settings;
  return { name, nodes: nodes.map(hostAndPort), ...(password === '' ? {} : { password }) };
}

function hostAndPort(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) };
}

/** TLS options of the Kafka client: `true` for the system's authorities alone. */
export function kafkaTls(
  tls: Config['kafka']['tls'],
): boolean | { ca?: Buffer; cert?: Buffer; key?: Buffer; rejectUnauthorized: boolean } {
  if (tls === null) return false;
  return {
    rejectUnauthorized: tls.verify,
    ...(tls.caFile === '' ? {} : { ca: readFileSync(tls.caFile) }),
    ...(tls.certFile === '' ? {} : { cert: readFileSync(tls.certFile), key: readFileSync(tls.keyFile) }),
  };
}
