import { afterEach, expect, it } from '@jest/globals';
import { ListeningClients } from './listening-clients.js';
import { GatewayProcesses } from './gateway-processes.js';
import { TOPIC } from './load.js';
import { isFull, report, scale, userNames } from './scale.js';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const DURATION_MS = 4000;
const WINDOW_MS = 1000;

// Fails when a node that goes away sends everybody off at once: the others would be met with all handshakes in one go.
it(
  'the clients of a node that drains come to the others at the pace of the drain',
  async () => {
    const users = userNames(isFull ? 2000 : 200);
    const drain = { duration: `${DURATION_MS}ms`, deadline: '20s' };
    const cluster = await GatewayProcesses.open({ nodes: [{ role: 'all' }], drain });
    cleanups.push(() => cluster.close());
    const clients = await ListeningClients.open({ users, topics: TOPIC, targets: cluster.targets });
    cleanups.push(() => clients.close());
    const [leaving] = cluster.nodes;
    await cluster.start({ role: 'all' });
    const exit = await cluster.stop(leaving!);
    await clients.connected(cluster.targets());

    const arrivals = clients.listeners.map(({ connectedAtMs }) => connectedAtMs).sort((a, b) => a - b);
    const busiest = Math.max(
      ...arrivals.map((from) => arrivals.filter((at) => at >= from && at < from + WINDOW_MS).length),
    );
    const pacePerSecond = (1000 * users.length) / DURATION_MS;
    await report('drain under way', { clients: users.length, pacePerSecond, reconnectsPerSecondMax: busiest });
    expect(exit).toEqual({ code: 0, signal: null });
    // In a run that shares its machine with other tests the clients themselves come in fits and starts.
    expect(busiest).toBeLessThanOrEqual((isFull ? 2 : 3) * pacePerSecond);
  },
  scale.timeoutMs,
);
