import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Kafka, logLevel } from 'kafkajs';
import {
  findOrStartServers,
  startLocalRedis,
  type FindOptions,
  type LocalServer,
  type LocalServers,
} from '../src/index.js';
import { freePort, isFree } from '../src/ports.js';
import { accepts, askRedis, parseAddress, speaksKafka } from '../src/probe.js';
import { startProgram } from '../src/program.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const cacheDir = join(ROOT, '.cache');
const log = (): void => undefined;

let dataDir: string;
let cleanups: (() => Promise<unknown>)[];

beforeEach(async () => {
  cleanups = [];
  await mkdir(join(ROOT, '.data'), { recursive: true });
  dataDir = await mkdtemp(join(ROOT, '.data', 'local-servers-'));
});

afterEach(async () => {
  await Promise.all(cleanups.map((cleanup) => cleanup()));
  await rm(dataDir, { recursive: true, force: true });
});

async function find(options: Partial<FindOptions>): Promise<LocalServers> {
  const servers = await findOrStartServers({ dataDir, cacheDir, ports: 'random', freshOnly: true, log, ...options });
  cleanups.push(() => servers.stop());
  return servers;
}

async function startRedis(options: { port?: number; persist?: boolean } = {}): Promise<LocalServer> {
  const server = await startLocalRedis({ dataDir: join(dataDir, 'r'), cacheDir, persist: false, log, ...options });
  cleanups.push(() => server.stop());
  return server;
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await delay(20);
}

const at = (port: number): { host: string; port: number } => ({ host: '127.0.0.1', port });

describe('findOrStartServers', () => {
  it('starts both, twice side by side on random ports, and leaves nothing running', async () => {
    const both = await Promise.all(['a', 'b'].map((name) => find({ dataDir: join(dataDir, name) })));
    const addresses = both.flatMap(({ kafka, redis }) => [kafka!.brokers, redis!.url.replace('redis://', '')]);
    expect(new Set(addresses).size).toBe(4);
    for (const { kafka, redis, missing } of both) {
      expect([kafka?.how, redis?.how, missing]).toEqual(['local', 'local', []]);
      expect(await roundTrip(kafka!.brokers)).toBe('hello');
      expect(await askRedis(parseAddress(redis!.url.replace('redis://', ''), 0))).toMatchObject({ status: 'ok' });
    }
    await Promise.all(both.map((servers) => servers.stop()));
    for (const address of addresses) expect(await accepts(parseAddress(address, 0))).toBe(false);
  }, 120_000);

  it('uses the servers that are named, and does not stop them', async () => {
    const redis = await startRedis();
    const redisUrl = `redis://127.0.0.1:${redis.port}`;
    const servers = await find({ redisUrl, brokers: [await pretendKafka()] });
    expect(servers.redis).toEqual({ url: redisUrl, how: 'configured' });
    expect(servers.kafka).toMatchObject({ how: 'configured' });
    await servers.stop();
    expect(redis.running).toBe(true);
  });

  it('refuses a named server that does not answer, instead of using another one', async () => {
    const redis = await startRedis();
    const closed = await startRedis();
    await closed.stop();
    const unreachable = { code: 'configured_unreachable' };
    await expect(find({ redisUrl: `redis://127.0.0.1:${closed.port}` })).rejects.toMatchObject(unreachable);
    await expect(find({ brokers: [`127.0.0.1:${redis.port}`] })).rejects.toMatchObject(unreachable);
    await redisCommand(redis.port, 'CONFIG SET requirepass right');
    const wrong = await find({ redisUrl: `redis://:secret@127.0.0.1:${redis.port}` }).catch(
      (error: unknown) => error as Error,
    );
    expect(wrong).toMatchObject({ ...unreachable, message: expect.stringMatching(/WRONGPASS/) });
    expect(wrong).not.toMatchObject({ message: expect.stringMatching(/secret/) });
  });

  it('says what is missing and how to get it when this machine has nothing', async () => {
    const { lines } = runNode(
      `const servers = await findOrStartServers({ dataDir, cacheDir: dataDir, ports: 'random', freshOnly: true, log() {} });
       console.log(JSON.stringify(servers));`,
      { PATH: dataDir, JAVA_HOME: '' },
    );
    expect(JSON.parse(await lines.next())).toEqual({
      kafka: null,
      redis: null,
      missing: [
        expect.stringMatching(/^Kafka: there is no Java.*JDK 17.*Maven.*KAFKA_BROKERS/),
        expect.stringMatching(/^Redis: there is no redis-server.*REDIS_URL/),
      ],
    });
  });
});

describe('a started server', () => {
  it('has its data again after a crash when it was told to keep it', async () => {
    const first = await startRedis({ persist: true });
    await redisCommand(first.port, 'SET k v');
    await first.kill();
    const second = await startRedis({ persist: true, port: first.port });
    expect(await redisCommand(second.port, 'GET k')).toBe('$1\r\nv\r\n');
  });

  // The kernel takes its memory back first, and the shell above it has gone by then: a replica could not take its port.
  it('has let go of its port when it is told to be killed', async () => {
    const logFile = join(dataDir, 'large.log');
    const port = await freePort();
    const large = `const held = Buffer.alloc(5e8, 1);
      require('node:net').createServer().listen(${port}, () => console.log('ready', held.length));`;
    const options = { logFile, ready: /^ready/m, readyTimeoutMs: 60_000, graceSeconds: 1 };
    const program = await startProgram({ command: process.execPath, args: ['-e', large], ...options });
    await program.kill();
    expect(await isFree(port)).toBe(true);
  });

  it('reports a port that is taken, with the end of its log', async () => {
    const { port } = await startRedis();
    await expect(startRedis({ port })).rejects.toMatchObject({
      code: 'start_failed',
      message: expect.stringMatching(/ended before it was ready[^]*in use/),
    });
  });

  it('ends when the process that started it is killed', async () => {
    const { parent, lines } = runNode(`
      const server = await startLocalRedis({ dataDir, cacheDir, persist: false, log() {} });
      console.log(server.port);
      setInterval(() => undefined, 1000);
    `);
    const line = await lines.next();
    expect(await accepts(at(Number(line)))).toBe(true);
    parent.kill('SIGKILL');
    await until(async () => !(await accepts(at(Number(line)))));
  });
});

describe('a probe', () => {
  it('tells Kafka, Redis and anything else apart', async () => {
    const redis = await startRedis();
    expect(await speaksKafka(at(redis.port), 300)).toBe(false);
    expect(await askRedis(parseAddress(await pretendKafka(), 0), {}, 300)).toEqual({ status: 'silent' });
  });

  it('reports a Redis that wants a password, and gets in with it', async () => {
    const redis = await startRedis();
    await redisCommand(redis.port, 'CONFIG SET requirepass secret');
    expect(await askRedis(at(redis.port))).toMatchObject({
      status: 'refuses',
      message: expect.stringMatching(/^NOAUTH/),
    });
    expect(await askRedis(at(redis.port), { password: 'secret' })).toMatchObject({ status: 'ok' });
  });
});

/** Starts another process with this package; gives its output line by line. */
function runNode(
  code: string,
  env: NodeJS.ProcessEnv = {},
): { parent: ChildProcess; lines: { next(): Promise<string> } } {
  const parent = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', '--import', './scripts/typescript-sources.mjs', '--input-type=module'],
    { cwd: ROOT, env: { ...process.env, NODE_OPTIONS: '', ...env }, stdio: ['pipe', 'pipe', 'inherit'] },
  );
  cleanups.push(async () => parent.kill('SIGKILL'));
  parent.stdin.end(`
    import { findOrStartServers, startLocalRedis } from './packages/local-servers/src/index.ts';
    const [dataDir, cacheDir] = ${JSON.stringify([dataDir, cacheDir])};
    ${code}
  `);
  const output = createInterface(parent.stdout);
  return { parent, lines: { next: async () => ((await once(output, 'line')) as [string])[0] } };
}

async function roundTrip(broker: string): Promise<string | undefined> {
  const retry = { initialRetryTime: 100, maxRetryTime: 1000, retries: 60 };
  const kafka = new Kafka({ brokers: [broker], logLevel: logLevel.NOTHING, retry });
  const [admin, producer, consumer] = [kafka.admin(), kafka.producer(), kafka.consumer({ groupId: 'g' })];
  try {
    await Promise.all([admin.connect(), producer.connect(), consumer.connect()]);
    // kafkajs' wait for leaders fails on a broker that is slow to tell its own metadata; the producer asks until it
    // knows.
    await admin.createTopics({ topics: [{ topic: 't', numPartitions: 1 }], waitForLeaders: false });
    await producer.send({ topic: 't', messages: [{ value: 'hello' }] });
    await consumer.subscribe({ topic: 't', fromBeginning: true });
    return await new Promise((resolve, reject) => {
      consumer.run({ eachMessage: async ({ message }) => resolve(message.value?.toString()) }).catch(reject);
    });
  } finally {
    await Promise.all([admin.disconnect(), producer.disconnect(), consumer.disconnect()]);
  }
}

/**
 * Starts a server that answers ApiVersions as a broker does (length, correlation id, no error), and nothing to other
 * requests.
 */
async function pretendKafka(): Promise<string> {
  const server: Server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.on('data', (request) => {
      if (request.readInt32BE(0) !== request.length - 4) return;
      const answer = Buffer.alloc(14);
      answer.writeInt32BE(10, 0);
      request.copy(answer, 4, 8, 12);
      socket.write(answer);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(async () => server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function redisCommand(port: number, command: string): Promise<string> {
  const socket = connect(at(port));
  socket.write(`${command}\r\n`);
  const [answer] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return answer.toString();
}
