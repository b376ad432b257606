import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { startGateway, testRedisUrl, uniqueName, type GatewayProcess } from '@ws-gateway/testkit';

const PROGRAM = fileURLToPath(new URL('../bin/ws-gateway', import.meta.url));
const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function start(keyPrefix: string, partitions: number, ready?: false, workers = 1): Promise<GatewayProcess> {
  const server = { drain: { duration: '100ms' }, workers };
  const config = { role: 'edge', redis: { keyPrefix, partitions }, server };
  return startGateway({ config, ...(ready === false && { ready }) });
}

/** What a process said that ends by itself. It may have answered a probe before, or not. */
function ended(started: Promise<GatewayProcess>): Promise<string> {
  return started.then(async ({ exited, output }) => `${JSON.stringify(await exited)} ${output.join('\n')}`, String);
}

async function forgetLayout(keyPrefix: string, partitions: number) {
  const folder = await mkdtemp(join(tmpdir(), 'ws-gateway-layout-'));
  cleanups.push(() => rm(folder, { recursive: true }));
  const file = join(folder, 'config.yaml');
  const addr = new URL(testRedisUrl()).host;
  await writeFile(file, JSON.stringify({ redis: { addr, keyPrefix, partitions } }));
  const done = promisify(execFile)(PROGRAM, ['redis', 'forget-layout', '-c', file, '--json'], {
    // Without the variables of the test run, which no key of the configuration has.
    env: { PATH: process.env['PATH'] },
  });
  return done.then(
    ({ stdout }) => ({ code: 0, text: stdout }),
    (error: { code: number; stderr: string }) => ({ code: error.code, text: error.stderr }),
  );
}

describe('a node whose redis.partitions are not those of the others', () => {
  it('ends, says why and how to go on, and starts once the layout was forgotten with all nodes down', async () => {
    const keyPrefix = uniqueName('layout');
    const first = await start(keyPrefix, 1);
    cleanups.push(() => first.stop());
    const said = await ended(start(keyPrefix, 4, false));
    expect(said).toMatch(/"code":2,"signal":null[^]*"partitions":1\}.*"partitions":4\}.*forget-layout/);

    expect(await forgetLayout(keyPrefix, 4)).toEqual({
      code: 1,
      text: expect.stringMatching(/stop these nodes first/),
    });
    await first.stop();
    expect(await forgetLayout(keyPrefix, 4)).toMatchObject({ code: 0, text: expect.stringMatching(/"deleted":\d+/) });
    const third = await start(keyPrefix, 4);
    await third.stop();
  }, 60_000);

  // Each worker was started again for ever, and the port stayed open.
  it('ends with all of its workers', async () => {
    const keyPrefix = uniqueName('layout');
    const first = await start(keyPrefix, 1);
    cleanups.push(() => first.stop());
    const said = await ended(start(keyPrefix, 4, false, 2));
    expect(said).toMatch(/"code":2,"signal":null[^]*starting it again cannot help/);
  }, 60_000);
});
