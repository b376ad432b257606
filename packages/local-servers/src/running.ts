import { setTimeout as delay } from 'node:timers/promises';
import { LocalServersError } from './errors.js';
import type { Program } from './program.js';
import { accepts, askRedis, parseAddress, speaksKafka, type RedisCredentials } from './probe.js';
import { isRedisNewEnough, REDIS_VERSION_MIN } from './redis-server.js';

/** Looks at servers that somebody else runs: is one there, and can we use it? */

export const KAFKA_PORT = 9092;
export const REDIS_PORT = 6379;
const CONFIGURED_TIMEOUT_MS = 5_000;
const WAIT_TIMEOUT_MS = 60_000;
const WAIT_POLL_MS = 200;

/** Resolves when one of the brokers answers: the client finds the others by itself. */
export async function configuredKafka(brokers: readonly string[], tls: boolean): Promise<string> {
  const probe = tls ? accepts : speaksKafka;
  const answers = await Promise.all(
    brokers.map((broker) => probe(parseAddress(broker, KAFKA_PORT), CONFIGURED_TIMEOUT_MS)),
  );
  const list = brokers.join(',');
  if (answers.includes(true)) return list;
  throw new LocalServersError('configured_unreachable', `the configured Kafka does not answer: ${list}`);
}

export async function configuredRedis(text: string): Promise<string> {
  const url = parseRedisUrl(text);
  // The message shows the address only: the rest may hold a password.
  const address = { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port || REDIS_PORT) };
  const shown = `${url.hostname}:${address.port}`;
  if (url.protocol === 'rediss:') {
    if (await accepts(address, CONFIGURED_TIMEOUT_MS)) return text;
    throw new LocalServersError('configured_unreachable', `the configured Redis does not answer: ${shown}`);
  }
  const credentials: RedisCredentials = {
    username: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
  };
  const answer = await askRedis(address, credentials, CONFIGURED_TIMEOUT_MS);
  if (answer.status === 'ok') return text;
  const what = answer.status === 'refuses' ? `refuses us (${answer.message})` : 'does not answer';
  throw new LocalServersError('configured_unreachable', `the configured Redis ${what}: ${shown}`);
}

/** Parses REDIS_URL in its usual form, or just host:port. */
function parseRedisUrl(text: string): URL {
  const url = URL.parse(text.includes('://') ? text : `redis://${text}`);
  if (url !== null && /^rediss?:$/.test(url.protocol)) return url;
  throw new LocalServersError('configured_unreachable', 'the configured Redis is not a redis:// or rediss:// URL');
}

export function kafkaRuns(port: number): Promise<boolean> {
  return speaksKafka({ host: 'localhost', port });
}

/**
 * Tells whether a usable Redis runs there. One that wants a password or is too old is not usable; the log says so,
 * because its owner may expect it to be used.
 */
export async function redisRuns(port: number, log: (line: string) => void): Promise<boolean> {
  const answer = await askRedis({ host: 'localhost', port });
  if (answer.status === 'refuses') {
    log(`the Redis on localhost:${port} refuses us (${answer.message}); to use it set REDIS_URL with its password`);
  } else if (answer.status === 'ok' && !isRedisNewEnough(answer.version)) {
    log(`the Redis on localhost:${port} is ${answer.version}; ${REDIS_VERSION_MIN}.0 or newer is needed`);
  }
  return answer.status === 'ok' && isRedisNewEnough(answer.version);
}

/** Waits for the condition; resolves with false when the program ends first or the time is over. */
export async function waitUntil(condition: () => Promise<boolean>, program: Program): Promise<boolean> {
  const deadline = Date.now() + WAIT_TIMEOUT_MS;
  while (program.running && Date.now() < deadline) {
    if (await condition()) return true;
    await delay(WAIT_POLL_MS);
  }
  return false;
}
