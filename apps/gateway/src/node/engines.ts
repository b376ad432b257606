import { readFileSync } from 'node:fs';
import { MemoryEngine, type Engine, type EngineStats, type Logger, type Tracing } from '@ws-gateway/core';
import { RedisEngine, type RedisEngineOptions, type RedisServer } from '@ws-gateway/redis-engine';
import type { Config } from '../config/config.js';

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
    ...(redis.tls ? { tls: tlsOptions(redis.tlsFiles) } : {}),
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

interface TlsFiles {
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  readonly verify: boolean;
}

/**
 * TLS options of a client: without files the system's authorities. The files are read again for each connection, so one
 * that is made after a renewal has the new certificate. In the middle of a replacement the contents before are used.
 */
export function tlsOptions(files: TlsFiles): { ca?: Buffer; cert?: Buffer; key?: Buffer; rejectUnauthorized: boolean } {
  const options = { rejectUnauthorized: files.verify };
  const members = { ca: files.caFile, cert: files.certFile, key: files.keyFile };
  for (const [member, file] of Object.entries(members)) {
    if (file === '') continue;
    let contents = readFileSync(file);
    const get = (): Buffer => {
      try {
        contents = readFileSync(file);
      } catch {
        // Gone for a moment.
      }
      return contents;
    };
    Object.defineProperty(options, member, { enumerable: true, get });
  }
  return options;
}
