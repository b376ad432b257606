import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { signToken } from '@ws-gateway/load-generator';
import { freePort } from '@ws-gateway/local-servers';
import { GATEWAY_CORE, ROOT } from './machine.js';
import { waitFor } from './wait.js';

const SECRET = 'a-secret-for-benchmarks-of-sufficient-length';

/** Token of the admin API of each gateway that is measured. */
export const ADMIN_TOKEN = 'admin-token-of-the-benchmarks';

const HOST = '127.0.0.1';
const PROGRAM = join(ROOT, 'apps/gateway/bin/ws-gateway');
const START_TIMEOUT_MS = 20_000;

export function tokenOf(user: string, claims: Readonly<Record<string, unknown>> = {}): string {
  return signToken({ sub: user, ...claims }, SECRET);
}

export interface GatewayOptions {
  readonly brokers: string;
  readonly redisUrl: string;
  readonly groupId: string;
  /** Kafka topic that feeds each topic of the gateway. */
  readonly topics: Readonly<Record<string, string>>;
  /** Settings that differ from the defaults. */
  readonly settings?: GatewaySettings;
  readonly keyPrefix: string;
  /** Engine; default redis. */
  readonly engine?: 'redis' | 'memory';
  /** Messages kept of each stream; by default as many as the gateway keeps. */
  readonly history?: number;
  /** Path that must say 200 before the gateway counts as started. */
  readonly until: '/health' | '/ready';
  /** Folder where a CPU profile is written when the gateway ends. */
  readonly profileDir?: string;
  /** Module that is preloaded, and its environment. */
  readonly probe?: { readonly file: URL; readonly env: Readonly<Record<string, string>> };
}

export interface GatewaySettings {
  readonly heartbeat?: string;
  readonly rooms?: Readonly<Record<string, unknown>>;
  readonly deliveries?: Readonly<Record<string, unknown>>;
  readonly tracing?: Readonly<Record<string, unknown>>;
  /** Settings of topics. */
  readonly topics?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** The shipped program, alone on its core. */
export interface Gateway {
  readonly host: string;
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
}

export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const port = await freePort();
  const folder = await mkdtemp(join(tmpdir(), 'ws-gateway-bench-'));
  const file = join(folder, 'config.yaml');
  // Every JSON text is YAML, too.
  await writeFile(file, JSON.stringify(config(options, port)));
  const { profileDir, probe } = options;
  const flags = [
    ...(profileDir === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileDir}`]),
    ...(probe === undefined ? [] : [`--import=${probe.file.href}`]),
    process.env['BENCH_NODE_OPTIONS'],
  ];
  const child = spawn('taskset', ['-c', String(GATEWAY_CORE), PROGRAM, 'serve', '-c', file], {
    env: { ...process.env, ...probe?.env, NODE_OPTIONS: flags.join(' ') },
    // Its log goes to our stderr, because stdout is for the figures.
    stdio: ['ignore', 2, 2],
  });
  const exited = once(child, 'close').then(() => rm(folder, { recursive: true, force: true }));
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await exited;
  };
  try {
    await started(child, `http://${HOST}:${port}${options.until}`);
  } catch (error) {
    await stop();
    throw error;
  }
  return { host: HOST, port, pid: child.pid ?? 0, stop };
}

function config(options: GatewayOptions, port: number): unknown {
  const { brokers, redisUrl, groupId, topics, keyPrefix, engine = 'redis', history, settings = {} } = options;
  const { heartbeat = '25s', topics: settingsOf = {}, rooms = {}, deliveries = {}, tracing = {} } = settings;
  const { hostname, port: redisPort, username, password } = new URL(redisUrl);
  const kept = history === undefined ? {} : { history: { size: history } };
  return {
    engine,
    server: { host: HOST, port, heartbeat, drain: { duration: '0s', deadline: '10s' } },
    kafka: { bootstrapServers: brokers, groupId, topics: Object.keys(topics), fromBeginning: true },
    redis: { addr: `${hostname}:${redisPort || 6379}`, username, password, keyPrefix },
    auth: { secret: SECRET },
    topics: Object.fromEntries(
      Object.entries(topics).map(([name, kafkaTopic]) => [name, { kafkaTopic, ...kept, ...settingsOf[name] }]),
    ),
    rooms,
    deliveries,
    tracing,
    admin: { token: ADMIN_TOKEN },
    grpc: { enabled: false },
    logger: { level: 'warn' },
  };
}

async function started(child: ChildProcess, url: string): Promise<void> {
  await waitFor(`${url} to say 200`, START_TIMEOUT_MS, async () => {
    if (child.exitCode !== null) throw new Error(`the gateway ended with exit code ${child.exitCode}`);
    const response = await fetch(url).catch(() => null);
    await response?.body?.cancel();
    return response?.ok === true;
  });
}
