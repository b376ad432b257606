import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  createEdge,
  EdgeStats,
  EngineStats,
  MemoryEngine,
  type Edge,
  type EdgeDeps,
  type Logger,
  type Socket,
} from '@ws-gateway/core';
import type { CommandTable } from '@ws-gateway/http-backends';
import { createTokenVerifier } from '@ws-gateway/jwt-auth';
import { LiveConfig } from '../../src/node/live-config.js';
import { createBackendCommands } from '../../src/node/backend-commands.js';
import { edgeOptions } from '../../src/node/part-options.js';
import { loadWithSecret } from '../config/loading.js';
import { signToken, TEST_SECRET } from '@ws-gateway/testkit';
import { Ledger } from './expected-answers.js';
import { CheckingBackend } from './foreseen-calls.js';
import { fuzzSeed, hostileFrame } from './hostile-frames.js';

type Frame = Readonly<Record<string, unknown>>;

class KeptSocket implements Socket {
  readonly transport = { publish: () => {} };
  readonly frames: Frame[] = [];
  code: number | null = null;

  send(frame: Uint8Array | string): 'sent' {
    this.frames.push(JSON.parse(typeof frame === 'string' ? frame : Buffer.from(frame).toString()) as Frame);
    return 'sent';
  }

  cork(write: () => void): void {
    write();
  }

  bufferedBytes(): number {
    return 0;
  }

  probe(): void {}
  join(): void {}
  leave(): void {}

  end(code: number): void {
    this.code = code;
  }
}

const errors: unknown[] = [];
const logger: Logger = {
  error: (message, fields) => void errors.push([message, fields]),
  warn: () => {},
  info: () => {},
  debug: () => {},
  child: () => logger,
};
const natives = Object.getOwnPropertyNames(Object.prototype);
const engine = new MemoryEngine({ node: 'n', stats: new EngineStats() });
const stats = new EdgeStats();
const checks: (() => void)[] = [];
let backend: CheckingBackend;
let table: CommandTable;
let edge: Edge;

beforeAll(async () => {
  backend = await CheckingBackend.start();
  const settings = {
    ...backend.config,
    inbound: { enabled: true },
    rooms: { history: { size: 5 } },
    limits: {
      requestsPerSecond: 0,
      requestBytesPerSecond: 0,
      sendsPerSecond: 0,
      surveysPerSecond: 0,
      badRequests: 0,
    },
  };
  const { config, findings } = loadWithSecret(JSON.stringify(settings));
  expect(findings).toEqual([]);
  table = createBackendCommands(config, stats.backendRequests);
  const deps = { engine, backends: table, verifier: createTokenVerifier(config.auth), logger, stats };
  const unused = { sent: null, presence: null, subscriptions: null, links: null };
  edge = createEdge({ ...deps, ...unused } as unknown as EdgeDeps, edgeOptions(new LiveConfig(config, {}), 'n'));
  await engine.start(edge);
});
afterAll(async () => {
  await engine.stop();
  await table?.close();
  await backend?.stop();
});

async function connect(): Promise<{ connection: object; socket: KeptSocket }> {
  const authorization = `Bearer ${signToken({ sub: 'ann' }, TEST_SECRET)}`;
  const handshake = { path: '/mobile', query: 'topics=notifications', authorization, origin: null };
  const from = { protocols: '', forwardedFor: '', remoteAddress: '::1', header: () => '' };
  const reception = edge.receive({ ...handshake, ...from });
  if (!reception.received) throw new Error(reception.refusal.message);
  const admission = await edge.admit(reception.arrival, { aborted: false });
  if (!admission.admitted) throw new Error(admission.refusal.message);
  const socket = new KeptSocket();
  edge.opened(admission.connection, socket);
  return { connection: admission.connection, socket };
}

function give(connection: object, text: string): void {
  const bytes = new TextEncoder().encode(text);
  edge.message(connection, bytes.buffer);
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!condition() && Date.now() < deadline) await turn();
}

describe('whatever text a client sends', () => {
  it('is answered once, asks backends for nothing unforeseen, and harms nobody', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(hostileFrame, { minLength: 1, maxLength: 6 }), async (texts) => {
        const { connection, socket } = await connect();
        const ledger = new Ledger();
        for (const text of texts) {
          ledger.sent(text);
          give(connection, text);
        }
        await until(() => ledger.complete(socket.frames));
        ledger.check(socket.frames);
        expect(socket.code).toBeNull();
        expect(errors.splice(0)).toEqual([]);
        expect(backend.strange.splice(0)).toEqual([]);
        expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(natives);
        edge.closed(connection, 1000, '');
        checks.push(() => ledger.check(socket.frames));
      }),
      { numRuns: Number(process.env['FUZZ_RUNS'] ?? 300), ...fuzzSeed },
    );
    // No request had a second answer that only came later.
    for (const check of checks) check();
    expect(backend.calls).toBeGreaterThan(30);
    expect(stats.backendRequests.inFlight).toBe(0);
  }, 120_000);
});
