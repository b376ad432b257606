import { randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  dockerAnswers,
  findOrStartServers,
  LocalServersError,
  type KafkaListener,
  startLocalKafka,
  startLocalRedis,
  type LocalServer,
  type RedisServerOptions,
} from '@ws-gateway/local-servers';
import { startKafkaContainer, startRedisContainer } from './containers.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const cacheDir = join(ROOT, '.cache');

export interface TestServers {
  readonly brokers: string;
  readonly redisUrl: string;
  /** How the servers were found: `configured`, `testcontainers` or `local`. The run prints it in one line. */
  readonly how: string;
  stop(): Promise<void>;
}

/**
 * Starts one Kafka and one Redis for a whole test run, empty and on random ports. It takes, in this order: the servers
 * that WSGATEWAY_TEST_KAFKA and WSGATEWAY_TEST_REDIS name, containers, programs of this machine. It rejects when there
 * is none: a test without its server fails, it is not skipped. The same variables tell the tests where the servers are.
 */
export async function startTestServers(log: (line: string) => void = () => undefined): Promise<TestServers> {
  const dataDir = newDataDir();
  const named = namedServers();
  const containers = Object.keys(named).length === 0 && (await dockerAnswers()) ? await startContainers(log) : null;
  const servers = containers ?? (await startPrograms({ dataDir, named, log }));
  process.env['WSGATEWAY_TEST_KAFKA'] = servers.brokers;
  process.env['WSGATEWAY_TEST_REDIS'] = servers.redisUrl;
  return {
    ...servers,
    async stop() {
      await servers.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

export function testBrokers(): string {
  return fromEnvironment('WSGATEWAY_TEST_KAFKA');
}

export function testRedisUrl(): string {
  return fromEnvironment('WSGATEWAY_TEST_REDIS');
}

function fromEnvironment(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run the tests by jest with the root's jest.config.js`);
  return value;
}

function namedServers(): { brokers?: string[]; redisUrl?: string } {
  const { WSGATEWAY_TEST_KAFKA: brokers, WSGATEWAY_TEST_REDIS: redisUrl } = process.env;
  return { ...(brokers && { brokers: brokers.split(',') }), ...(redisUrl && { redisUrl }) };
}

async function startContainers(log: (line: string) => void): Promise<TestServers | null> {
  const starts = await Promise.allSettled([startKafkaContainer({}), startRedisContainer({})]);
  const started = starts.filter((start) => start.status === 'fulfilled').map((start) => start.value);
  const stop = async (): Promise<void> => void (await Promise.all(started.map((server) => server.stop())));
  const [kafka, redis] = started;
  if (kafka !== undefined && redis !== undefined) {
    const [brokers, redisUrl] = [`127.0.0.1:${kafka.port}`, `redis://127.0.0.1:${redis.port}`];
    return { brokers, redisUrl, how: 'testcontainers', stop };
  }
  await stop();
  const reasons = starts.flatMap((start) => (start.status === 'rejected' ? [String(start.reason)] : []));
  log(`Docker cannot run the test servers (${reasons[0]}); using programs of this machine`);
  return null;
}

interface ProgramsOptions {
  readonly dataDir: string;
  readonly named: { brokers?: string[]; redisUrl?: string };
  readonly log: (line: string) => void;
}

async function startPrograms({ dataDir, named, log }: ProgramsOptions): Promise<TestServers> {
  const servers = await findOrStartServers({ ...named, dataDir, cacheDir, ports: 'random', freshOnly: true, log });
  const { kafka, redis, missing, stop } = servers;
  if (kafka !== null && redis !== null) {
    return { brokers: kafka.brokers, redisUrl: redis.url, how: `${kafka.how} Kafka, ${redis.how} Redis`, stop };
  }
  await stop();
  throw new Error(`the tests need a real Kafka and a real Redis:\n${missing.join('\n')}`);
}

/** A server that belongs to one test, which kills it, starts it again and stops it. */
export interface OwnServer extends LocalServer {
  /** Address as `host:port`. */
  readonly address: string;
}

export interface OwnServerOptions {
  /** Port of the server whose place it takes. */
  readonly port?: number;
  /** Folder where its data outlives it (see `newDataDir`); without one a server starts empty. */
  readonly dataDir?: string;
}

export async function startKafka(
  options: OwnServerOptions & {
    /** Port that clients are told: that of a TcpProxy in front of it. */
    readonly advertisedPort?: number;
    /** Listeners beside the plain one; a container does not have them. */
    readonly listeners?: readonly KafkaListener[];
    readonly settings?: readonly string[];
    readonly scramUsers?: readonly string[];
    /** System properties of the JVM. */
    readonly properties?: Readonly<Record<string, string>>;
  } = {},
): Promise<OwnServer> {
  const start = (dataDir: string): Promise<LocalServer> =>
    startLocalKafka({ ...options, dataDir, cacheDir, log: ignore });
  return own(options, start, () => startKafkaContainer(options));
}

export async function startRedis(
  options: OwnServerOptions & Pick<RedisServerOptions, 'settings' | 'packaged'> = {},
): Promise<OwnServer> {
  const persist = options.dataDir !== undefined;
  const start = (dataDir: string): Promise<LocalServer> =>
    startLocalRedis({ ...options, dataDir, cacheDir, persist, log: ignore });
  return own(options, start, () => startRedisContainer(options));
}

/** Path of a folder under .data that does not exist yet. */
export function newDataDir(): string {
  return join(ROOT, '.data', `test-${randomUUID()}`);
}

const ignore = (): void => undefined;

/** Starts a server, as a program if possible: programs start, die and come back in a tenth of a container's time. */
async function own(
  options: OwnServerOptions,
  start: (dataDir: string) => Promise<LocalServer>,
  startContainer: () => Promise<LocalServer>,
): Promise<OwnServer> {
  const dataDir = options.dataDir ?? newDataDir();
  await mkdir(dataDir, { recursive: true });
  let server: LocalServer;
  try {
    server = await start(dataDir);
  } catch (error) {
    const noProgram = error instanceof LocalServersError && error.code === 'not_available';
    if (!noProgram || !(await dockerAnswers())) throw error;
    server = await startContainer();
  }
  const clean = async (): Promise<void> => {
    if (options.dataDir === undefined) await rm(dataDir, { recursive: true, force: true });
  };
  return {
    port: server.port,
    address: `127.0.0.1:${server.port}`,
    get running() {
      return server.running;
    },
    stop: () => server.stop().then(clean),
    kill: () => server.kill().then(clean),
  };
}
