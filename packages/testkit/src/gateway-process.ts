import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { freePort } from '@ws-gateway/local-servers';
import { testBrokers, testRedisUrl } from './servers.js';
import { waitFor } from './wait.js';

export interface GatewayOptions {
  /** Keys of config.yaml, laid over the defaults below key by key. */
  readonly config?: Config;
  /** Path of a configuration that is used as it stands; only `env` and `args` change it. Needs `port`. */
  readonly file?: string;
  /** Port the gateway will answer on; a free one by default. */
  readonly port?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Arguments that follow `serve -c <file>`. */
  readonly args?: readonly string[];
  /** Path of the program; default: the one that is built here. */
  readonly program?: string;
  readonly readyTimeoutMs?: number;
  /** File descriptors that the process may have at most; by default as many as the test may. */
  readonly descriptors?: number;
  /** false: do not wait for /ready. The gateway listens, while a server that it needs may refuse it. */
  readonly ready?: false;
}

export type Config = { readonly [key: string]: unknown };

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** The shipped program in a process of its own. */
export interface GatewayProcess {
  readonly port: number;
  /** `ws://127.0.0.1:<port>` and `http://127.0.0.1:<port>`. */
  readonly wsUrl: string;
  readonly httpUrl: string;
  readonly pid: number;
  /** Lines of its output: `output` has all of them as text, and `logs` those that are JSON. */
  readonly output: readonly string[];
  readonly logs: readonly Readonly<Record<string, unknown>>[];
  readonly exited: Promise<Exit>;
  /** Sends SIGTERM; resolves to the exit. */
  stop(): Promise<Exit>;
  /** Sends SIGKILL, as a crash would; resolves to the exit. */
  kill(): Promise<Exit>;
}

/** Secret that signs the tokens which a test's gateway accepts by default. */
export const TEST_SECRET = 'a-secret-for-tests-of-sufficient-length';

const PROGRAM = fileURLToPath(new URL('../../../apps/gateway/bin/ws-gateway', import.meta.url));
const READY_TIMEOUT_MS = 60_000;

/** Starts `ws-gateway serve` on a free port with the run's Kafka and Redis; resolves when GET /ready says 200. */
export async function startGateway(options: GatewayOptions = {}): Promise<GatewayProcess> {
  const port = options.port ?? (await freePort());
  const folder = await mkdtemp(join(tmpdir(), 'ws-gateway-test-'));
  const configFile = options.file ?? join(folder, 'config.yaml');
  // Every JSON text is YAML, too.
  if (options.file === undefined) {
    await writeFile(configFile, JSON.stringify(merge(defaults(port), options.config ?? {})));
  }
  const limit = options.descriptors === undefined ? '' : `ulimit -n ${options.descriptors}; `;
  const command = [
    '-c',
    `${limit}exec "$0" "$@"`,
    options.program ?? PROGRAM,
    'serve',
    '-c',
    configFile,
    ...(options.args ?? []),
  ];
  const child = spawn('sh', command, {
    env: { ...inheritedEnv(), ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const gateway = gatewayOf(child, port);
  void gateway.exited.then(() => rm(folder, { recursive: true, force: true }));
  try {
    await ready(gateway, options.ready === false ? '/health' : '/ready', options.readyTimeoutMs ?? READY_TIMEOUT_MS);
  } catch (error) {
    await gateway.kill();
    throw error;
  }
  return gateway;
}

/**
 * Removes the variables of the test run: they are no part of the gateway's configuration, and the gateway refuses
 * unknown ones.
 */
function inheritedEnv(): Record<string, string | undefined> {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('WSGATEWAY_') && name !== 'NODE_OPTIONS');
  return Object.fromEntries(own);
}

function defaults(port: number): Config {
  return {
    server: { host: '127.0.0.1', port },
    kafka: { bootstrapServers: testBrokers() },
    redis: { addr: new URL(testRedisUrl()).host },
    auth: { secret: TEST_SECRET },
    // A second gateway of the same test would find its fixed port taken.
    grpc: { enabled: false },
  };
}

function gatewayOf(child: ChildProcess, port: number): GatewayProcess {
  const output: string[] = [];
  const logs: Record<string, unknown>[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface(stream as Readable).on('line', (line) => {
      output.push(line);
      if (line.startsWith('{')) logs.push(JSON.parse(line) as Record<string, unknown>);
    });
  }
  const exited = once(child, 'close').then(([code, signal]) => ({ code, signal }) as Exit);
  const end = (signal: NodeJS.Signals): Promise<Exit> => {
    child.kill(signal);
    return exited;
  };
  return {
    port,
    wsUrl: `ws://127.0.0.1:${port}`,
    httpUrl: `http://127.0.0.1:${port}`,
    pid: child.pid ?? 0,
    output,
    logs,
    exited,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
  };
}

async function ready(gateway: GatewayProcess, path: string, timeoutMs: number): Promise<void> {
  let exit: Exit | null = null;
  void gateway.exited.then((value) => (exit = value));
  const isReady = async (): Promise<boolean> =>
    exit !== null || (await fetch(`${gateway.httpUrl}${path}`, { signal: AbortSignal.timeout(2_000) })).ok;
  const said = (): string => gateway.output.slice(-20).join('\n');
  await waitFor(isReady, { timeoutMs, what: `GET ${path} to say 200` }).catch((error: unknown) => {
    throw new Error(`the gateway did not become ready:\n${said()}`, { cause: error });
  });
  if (exit !== null) throw new Error(`the gateway ended with ${JSON.stringify(exit)}:\n${said()}`);
}

function merge(base: Config, over: Config): Config {
  const merged: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const below = merged[key];
    merged[key] = isObject(below) && isObject(value) ? merge(below, value) : value;
  }
  return merged;
}

function isObject(value: unknown): value is Config {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
