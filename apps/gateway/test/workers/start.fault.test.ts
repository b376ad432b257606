import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import type { Logger } from '@ws-gateway/core';
import { freePort, testRedisUrl, uniqueName, waitFor } from '@ws-gateway/testkit';
import { LiveConfig } from '../../src/node/live-config.js';
import { Supervisor } from '../../src/workers/supervisor.js';
import { configFile, run, start, type Running } from '../cli/running.js';
import { loadWithSecret } from '../config/loading.js';

/** Makes the configuration of two workers without Kafka. */
function configOf(port: number, more: Readonly<Record<string, object>> = {}): object {
  return {
    server: { host: '127.0.0.1', port, workers: 2, drain: { duration: '100ms', deadline: '10s' } },
    ...{ role: 'edge', grpc: { enabled: false }, auth: { secret: 'a-secret-for-tests-of-sufficient-length' } },
    ...{ redis: { addr: new URL(testRedisUrl()).host, keyPrefix: uniqueName('workers') } },
    ...more,
  };
}

async function ask(port: number, path: string): Promise<string> {
  return (await fetch(`http://127.0.0.1:${port}${path}`, { headers: { connection: 'close' } })).text();
}

/** Time in ms for three processes one after the other, on a machine that may be busy. */
const START_MS = 60_000;
const readyAt = (port: number) =>
  // With a warning behind it: no router reads the topics of these edges.
  waitFor(async () => (await ask(port, '/ready')).startsWith('{"status":"ready"'), { timeoutMs: START_MS });

const started: Running[] = [];
afterEach(() => {
  for (const { child } of started.splice(0)) child.kill('SIGKILL');
});

async function startWorkers(): Promise<Running> {
  const port = await freePort();
  const running = start(['serve', '-c', configFile(configOf(port))]);
  started.push(running);
  await readyAt(port);
  return running;
}

function pids(running: Running): number[] {
  const lines = running.stdout().split('\n').slice(0, -1);
  const logs = lines.map((line) => JSON.parse(line) as { message: string; pid: number });
  return logs.filter(({ message }) => message === 'worker listens').map(({ pid }) => pid);
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

jest.setTimeout(2 * START_MS);

describe('serve with workers', () => {
  it('ends with 2 when the workers cannot use the configuration, and says why once', async () => {
    // This file can be read and is no key.
    const auth = { algorithms: ['RS256'], publicKeyFile: fileURLToPath(import.meta.url) };
    const { code, stderr } = await run(['serve', '-c', configFile(configOf(await freePort(), { auth }))]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^ws-gateway: .*publicKeyFile.*\n$/);
  });

  it('ends with 1 when another program has the port', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as { port: number };
    const { code, stderr } = await run(['serve', '-c', configFile(configOf(port))]);
    other.close();
    expect([code, stderr]).toEqual([
      1,
      `ws-gateway: cannot start: cannot listen on 127.0.0.1, port ${port}: it is taken by another program\n`,
    ]);
  });

  it('refuses a port of its own choice, and a worker without a supervisor', async () => {
    const { code, stderr } = await run(['serve', '-c', configFile(configOf(0))]);
    expect([code, stderr]).toEqual([2, expect.stringContaining('server.port: must be given when workers share it')]);
    expect(await run(['worker'])).toMatchObject({ code: 2, stderr: expect.stringContaining('server.workers') });
  });

  it('does not leave workers behind when the supervisor is killed', async () => {
    const running = await startWorkers();
    const workers = pids(running);
    expect(workers).toHaveLength(2);
    running.child.kill('SIGKILL');
    const gone = waitFor(() => !workers.some(isRunning), { timeoutMs: START_MS, what: 'the end of the workers' });
    await gone.catch((error: unknown) => {
      // A test that fails must not leave its workers behind.
      for (const pid of workers.filter(isRunning)) process.kill(pid, 'SIGKILL');
      throw error;
    });
    // Both have stopped in order, not just died with the channel.
    expect((await running.ended).stdout.split('\n').filter((line) => line.includes('"clean":true'))).toHaveLength(2);
  });

  it('stops in order also when everybody in the process group gets the signal, as from a terminal', async () => {
    const running = await startWorkers();
    for (const pid of [running.child.pid!, ...pids(running)]) process.kill(pid, 'SIGINT');
    expect(await running.ended).toMatchObject({ code: 0, signal: null });
  });

  it('waits for nobody at the second signal', async () => {
    const running = await startWorkers();
    const workers = pids(running);
    // This worker cannot stop.
    process.kill(workers[0]!, 'SIGSTOP');
    running.child.kill('SIGTERM');
    await running.line('stopping workers');
    running.child.kill('SIGTERM');
    expect(await running.ended).toMatchObject({ code: 1 });
    await waitFor(() => !workers.some(isRunning));
  });
});

describe('a worker that hangs', () => {
  it('is told by /ready, does not hold up what is asked of the other one, and is replaced', async () => {
    const port = await freePort();
    const { config } = loadWithSecret(JSON.stringify(configOf(port, { logger: { level: 'error' } })));
    const listening: number[] = [];
    const logger: Logger = {
      ...{ error: ignore, warn: ignore, debug: ignore, child: () => logger },
      info: (message, fields) => void (message === 'worker listens' && listening.push(fields!['pid'] as number)),
    };
    const program = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
    const supervisor = new Supervisor(new LiveConfig(config, {}), logger, { checkMs: 1000, program });
    await supervisor.start();
    try {
      await readyAt(port);
      const [hanging] = listening;
      process.kill(hanging!, 'SIGSTOP');
      const ask = async (path: string) => {
        const signal = AbortSignal.timeout(1000);
        return (await fetch(`http://127.0.0.1:${port}${path}`, { headers: { connection: 'close' }, signal })).text();
      };
      // Half of the connections end up at the worker that hangs; one after the other they could outlast it.
      const patiently = (path: string) => Promise.any(Array.from({ length: 8 }, () => ask(path)));
      await waitFor(async () => (await patiently('/ready')).includes('"failing":["unresponsive"]'));
      await waitFor(() => listening.length === 3, { timeoutMs: START_MS, what: 'its successor' });
      expect(isRunning(hanging!)).toBe(false);
      await readyAt(port);
    } finally {
      expect(await supervisor.stop('end of the test')).toBe(true);
    }
  });
});

const ignore = (): void => undefined;
