import { Redis } from 'ioredis';
import type { RedisServer } from './options.js';

const RETRY_DELAY_MAX_MS = 1000;
/** What gives no answer doesn't say goodbye either. */
const DISCONNECT_TIMEOUT_MS = 250;

/**
 * A connection that never keeps a command for later: the library's defaults would queue while Redis is away and send
 * everything, long stale, when it is back. It reconnects by itself; who uses it decides what to repeat.
 */
export function createRedisClient(server: RedisServer, connectTimeoutMs: number): Redis {
  const { sentinel, host, port, username, password, db, tls } = server;
  return new Redis({
    ...(sentinel === undefined ? { host, port } : sentinelOptions(sentinel)),
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls === undefined ? {} : { tls }),
    db: db ?? 0,
    lazyConnect: true,
    connectTimeout: connectTimeoutMs,
    disconnectTimeout: DISCONNECT_TIMEOUT_MS,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    maxRetriesPerRequest: 0,
    disableClientInfo: true,
    // Spread, so that nodes don't come back in step.
    retryStrategy: (attempt) => Math.min(RETRY_DELAY_MAX_MS, 50 * attempt) * (0.75 + Math.random() / 2),
  });
}

function sentinelOptions(sentinel: NonNullable<RedisServer['sentinel']>) {
  return {
    name: sentinel.name,
    sentinels: sentinel.nodes.map(({ host, port }) => ({ host, port })),
    ...(sentinel.password === undefined ? {} : { sentinelPassword: sentinel.password }),
  };
}
