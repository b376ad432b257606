import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { afterEach, describe, test } from '@jest/globals';
import { freePort, testBrokers, testRedisUrl, uniqueName, waitFor } from '@ws-gateway/testkit';
import { configFile } from './running.js';

const TOOLCHAIN = new URL('../../../../scripts/boot/toolchain.mjs', import.meta.url).href;

let started: ChildProcess | null = null;
// The shells and what they started are one process group.
afterEach(() => {
  try {
    if (started?.pid !== undefined) process.kill(-started.pid, 'SIGKILL');
  } catch {
    // All of it has ended, as it should.
  }
});

interface Started {
  readonly url: string;
  readonly pids: { readonly npm: number; readonly boot: number };
}

/** `dev` as `npm start` runs it: npm, a shell that does not replace itself, the boot script, the gateway. */
async function npmStart(): Promise<Started> {
  const port = await freePort();
  const config = configFile({
    ...{ server: { port }, kafka: { groupId: uniqueName('npm') }, redis: { keyPrefix: uniqueName('npm') } },
    grpc: { enabled: false },
  });
  const boot = `
    import { runForeground } from ${JSON.stringify(TOOLCHAIN)};
    console.log('boot', process.pid);
    process.exitCode = await runForeground('apps/gateway/bin/ws-gateway', ['dev', '-c', ${JSON.stringify(config)}]);`;
  const shell = '"$NODE" --input-type=module -e "$BOOT"; true';
  const env = { PATH: process.env['PATH'], KAFKA_BROKERS: testBrokers(), REDIS_URL: testRedisUrl() };
  const npm = spawn('/bin/sh', ['-c', '/bin/sh -c "$SHELL_LINE"; true'], {
    env: { ...env, NODE: process.execPath, BOOT: boot, SHELL_LINE: shell },
    ...{ detached: true, stdio: ['ignore', 'pipe', 'inherit'] },
  });
  started = npm;
  let bootPid = 0;
  createInterface(npm.stdout!).on('line', (line) => {
    if (line.startsWith('boot ')) bootPid = Number(line.slice('boot '.length));
  });
  const url = `http://127.0.0.1:${port}/health`;
  await waitFor(() => answers(url), { timeoutMs: 60_000, what: 'dev to listen' });
  return { url, pids: { npm: npm.pid!, boot: bootPid } };
}

function answers(url: string): Promise<boolean> {
  return fetch(url).then(
    ({ ok }) => ok,
    () => false,
  );
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('whoever started dev ends', () => {
  // Fails when only signals are handed on: whoever is killed hands on nothing, and the gateway and its servers stay. With
  // npm the boot script stayed as well, without a child: it waited for an event of the channel that it had closed itself.
  test.each([
    ['npm', 'SIGKILL'],
    ['npm', 'SIGTERM'],
    ['boot', 'SIGKILL'],
    ['boot', 'SIGTERM'],
    ['boot', 'SIGHUP'],
  ] as const)('%s by %s, and the gateway and the boot script end', async (victim, signal) => {
    const { url, pids } = await npmStart();
    process.kill(pids[victim], signal);
    await waitFor(async () => !(await answers(url)), { timeoutMs: 20_000, what: 'the gateway to stop' });
    await waitFor(() => !isAlive(pids.boot), { timeoutMs: 20_000, what: 'the boot script to end' });
  });
});
