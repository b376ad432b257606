import { afterEach, expect, it } from '@jest/globals';
import { waitFor, type GatewayProcess, type WsClient } from '@ws-gateway/testkit';
import { GatewayCluster, record } from '../gateway-cluster.js';
import { metric } from './gateway-processes.js';
import { promisedMs } from './scale.js';

/** Time in ms within which a client of a killed node has its place again. */
const BACK_MS = 4000;

let cluster: GatewayCluster | null = null;
const stopped = new Set<number>();
afterEach(async () => {
  for (const pid of stopped) process.kill(pid, 'SIGCONT');
  stopped.clear();
  await cluster?.close();
});

interface Scene {
  readonly opened: GatewayCluster;
  readonly a: GatewayProcess;
  readonly b: GatewayProcess;
  /** Connects the user. */
  readonly enterA: () => Promise<WsClient>;
  readonly enterB: () => Promise<WsClient>;
}

/** Two nodes on which a user has one session. */
async function twoNodes(): Promise<Scene> {
  const node = { config: { sessions: { max: 1, policy: 'reject' } } };
  const opened = await GatewayCluster.open({ nodes: [node, node] });
  cluster = opened;
  const enter = (at: number): Promise<WsClient> => opened.connect(at, 'u1', 'notifications');
  return { opened, a: opened.nodes[0]!, b: opened.nodes[1]!, enterA: () => enter(0), enterB: () => enter(1) };
}

function stop({ pid }: GatewayProcess): void {
  stopped.add(pid);
  process.kill(pid, 'SIGSTOP');
}

function goOn({ pid }: GatewayProcess): void {
  stopped.delete(pid);
  process.kill(pid, 'SIGCONT');
}

// Its row stays for as long as its lease, and held the only session of its user until then.
it('a client of a killed node gets its only session on another one, with its first try', async () => {
  const { a, enterA, enterB } = await twoNodes();
  const before = await enterA();
  const killedMs = performance.now();
  await a.kill();
  expect(await before.closed).toMatchObject({ code: 1006 });
  const after = await enterB();
  expect(performance.now() - killedMs).toBeLessThan(promisedMs(BACK_MS));
  await after.close();
});

it('the only session is refused at once while its node lives', async () => {
  const { enterA, enterB } = await twoNodes();
  const holder = await enterA();
  await expect(enterB()).rejects.toMatchObject({ refused: { status: 429 } });
  await holder.close();
});

it.each([
  ['that was paused finds its client replaced when it goes on', false],
  ['that was paused until it was reaped finds its client replaced when it goes on', true],
])('a node %s', async (_, isReaped) => {
  const { opened, a, b, enterA, enterB } = await twoNodes();
  const before = await enterA();
  stop(a);
  const after = await enterB();
  if (isReaped) await waitFor(async () => (await metric(b, 'presence_rows_reaped_total')) > 0, { what: 'the old row' });
  goOn(a);
  expect(await before.closed).toEqual({ code: 4501, reason: 'session_replaced' });
  await waitFor(async () => (await metric(a, 'websocket_active_connections')) === 0);
  await opened.produce('notifications', record('u1', { text: 'here' }));
  await after.next(({ payload }) => (payload as { text?: string } | null)?.text === 'here');
  await after.close();
});
