import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FindOptions, LocalServers } from '@ws-gateway/local-servers';
import type { Config } from '../config/config.js';
import type { Loaded } from '../config/load.js';
import { badUsage } from './exit.js';
import { signingSecret } from './token.js';

const LOOPBACK = '127.0.0.1';

export type DevFolders = Pick<FindOptions, 'dataDir' | 'cacheDir' | 'composeFile'>;

/** Chooses folders in the checkout of the project when this is one, else in the working directory. */
export function devFolders(): DevFolders {
  const root = checkout(dirname(fileURLToPath(import.meta.url))) ?? process.cwd();
  const composeFile = join(root, 'compose.yaml');
  return {
    dataDir: join(root, '.data'),
    cacheDir: join(root, '.cache'),
    ...(existsSync(composeFile) ? { composeFile } : {}),
  };
}

function checkout(folder: string): string | null {
  if (existsSync(join(folder, 'pnpm-workspace.yaml'))) return folder;
  const parent = dirname(folder);
  return parent === folder ? null : checkout(parent);
}

/**
 * Says where to find servers. Those that somebody chose have to be there; the defaults are only where to look first.
 */
export function findOptions(loaded: Loaded): Pick<FindOptions, 'brokers' | 'redisUrl' | 'kafkaTls'> {
  const { kafka, redis } = loaded.config;
  if (redis.mode !== 'standalone') throw badUsage(`redis.mode: dev works with standalone, not ${redis.mode}`);
  return {
    ...(loaded.chosen('kafka.bootstrapServers') ? { brokers: kafka.brokers } : {}),
    kafkaTls: kafka.tls !== null,
    ...(loaded.chosen('redis.addr') ? { redisUrl: redisUrl(redis) } : {}),
  };
}

function redisUrl(redis: Config['redis']): string {
  const url = new URL(`${redis.tls ? 'rediss' : 'redis'}://${redis.addr[0]}/${redis.db}`);
  url.username = encodeURIComponent(redis.username);
  url.password = encodeURIComponent(redis.password);
  return url.href;
}

/** Makes the configuration with the servers that were found, secrets, and settings that are handy at a desk. */
export function devConfig(loaded: Loaded, servers: LocalServers, folders: DevFolders): Config {
  const { config, chosen } = loaded;
  const { kafka, redis } = servers;
  return {
    ...config,
    // Without Kafka there is nothing to route, and without Redis nobody to share with.
    role: kafka === null ? 'edge' : 'all',
    engine: redis === null ? 'memory' : 'redis',
    kafka: { ...config.kafka, ...(kafka === null ? {} : { brokers: kafka.brokers.split(',') }) },
    redis: { ...config.redis, ...(redis === null ? {} : { addr: [new URL(redis.url).host] }) },
    auth: {
      ...config.auth,
      secret: signingSecret(config.auth) === '' ? kept(folders.dataDir, 'dev-secret') : config.auth.secret,
    },
    admin: {
      ...config.admin,
      token: config.admin.token === '' ? kept(folders.dataDir, 'dev-admin-token') : config.admin.token,
    },
    console: { enabled: true },
    grpc: { ...config.grpc, ...(chosen('grpc.host') || chosen('server.host') ? {} : { host: LOOPBACK }) },
    logger: {
      ...config.logger,
      level: chosen('logger.level') ? config.logger.level : 'warn',
      format: chosen('logger.format') ? config.logger.format : 'pretty',
    },
    server: {
      ...config.server,
      // With a secret that was made up at a desk it is for nobody else.
      host: chosen('server.host') ? config.server.host : LOOPBACK,
      // One worker is enough at a desk, and its output stays readable.
      workers: 1,
      // Ctrl-C should not take half a minute.
      drain: chosen('server.drain.duration') ? config.server.drain : { durationMs: 300, deadlineMs: 10_000 },
    },
  };
}

/**
 * Reads or makes a secret. It is made once: a token from yesterday, and a console that is still open, work after a
 * restart.
 */
function kept(dataDir: string, name: string): string {
  const file = join(dataDir, name);
  if (existsSync(file)) {
    const secret = readFileSync(file, 'utf8').trim();
    if (secret !== '') return secret;
  }
  const secret = randomBytes(32).toString('hex');
  mkdirSync(dataDir, { recursive: true });
  writeFileSync(file, `${secret}\n`, { mode: 0o600 });
  return secret;
}
