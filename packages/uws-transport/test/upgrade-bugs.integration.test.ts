import { execFile } from 'node:child_process';
import { expect, it } from '@jest/globals';

const LOADER = new URL('../../../scripts/typescript-sources.mjs', import.meta.url).pathname;
const STORM = new URL('support/handshake-storm.ts', import.meta.url).pathname;

interface Outcome {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** In a process of its own, plain Node: jest's process.env is a copy that the native addon does not see. */
function storm(...args: string[]): Promise<Outcome> {
  const env = { ...process.env };
  delete env['NODE_OPTIONS'];
  delete env['UWS_HTTP_MAX_HEADERS_SIZE'];
  const command = ['--disable-warning=ExperimentalWarning', '--import', LOADER, STORM, ...args];
  return new Promise((resolve) => {
    execFile(process.execPath, command, { env, timeout: 90_000 }, (error, stdout, stderr) => {
      resolve({ exitCode: error === null ? 0 : Number(error.code ?? -1), stdout, stderr });
    });
  });
}

/**
 * What broke: `res.cork(() => res.upgrade(…))` after an await. HttpResponse::cork of uWebSockets.js 20.51.4 looks at the
 * response's state after the callback; when the upgrade's realloc stayed in place that memory belongs to somebody else by
 * then, and now and then says "close": the new socket was gone right after the 101. It took one in 1,500 to 3,000 handshakes,
 * in the first dozens of a process, hence many processes. Without any cork nothing is lost, but stderr is full of
 * warnings. See CorkCarrier for the way out.
 */
it('loses no socket after an asynchronous admission, and leaves stderr empty (30 processes, 200 handshakes each)', async () => {
  const outcomes: Outcome[] = [];
  const runner = async (): Promise<void> => {
    for (let run = 0; run < 15; run++) outcomes.push(await storm('storm', '200'));
  };
  await Promise.all([runner(), runner()]);
  const expected = { exitCode: 0, stdout: '{"echoed":200,"closes":[]}\n', stderr: '' };
  expect(outcomes).toEqual(Array.from({ length: 30 }, () => expected));
}, 600_000);

/**
 * What broke: an upgrade that runs as a microtask inside another request's callback is taken for the upgrade of that
 * request: its cork is never released and uWebSockets.js aborts the process ("Cork buffer must not be held across event
 * loop iterations!"). See DeferredTasks.
 */
it('survives an admission that completes inside the parser of another request', async () => {
  expect(await storm('inside-parser')).toEqual({ exitCode: 0, stdout: '{"statuses":[200,101,200]}\n', stderr: '' });
});

it('goes on with handshakes while the cork carrier is lost, and gets a new one', async () => {
  const { exitCode, stdout, stderr } = await storm('carrier-lost', '50');
  expect([exitCode, stdout]).toEqual([0, '{"statuses":[101,101],"echoed":50,"closes":[]}\n']);
  // Upstream's warning, for the one handshake in between.
  expect(stderr.split('\n').filter((line) => line !== '').length).toBeLessThanOrEqual(1);
});

it('takes request line and headers of 16 kB, and answers 431 to more', async () => {
  const long = JSON.parse((await storm('headers', `${16 * 1024}`)).stdout) as { status: number; seen: number[] };
  expect(long.status).toBe(101);
  expect(long.seen[0]).toBeGreaterThan(16_000);
  expect(JSON.parse((await storm('headers', `${17 * 1024}`)).stdout)).toEqual({ status: 431, seen: [] });
  expect(JSON.parse((await storm('headers', '200000')).stdout)).toEqual({ status: 431, seen: [] });
});
