import { afterEach, expect, it } from '@jest/globals';
import { groupMembers, TcpProxy, testRedisUrl, waitFor, type GatewayProcess } from '@ws-gateway/testkit';
import { metric } from './gateway-processes.js';
import { FAULTLESS } from './delivery-ledger.js';
import { Load } from './load.js';
import { isFull, report, scale } from './scale.js';

const TIMES = isFull ? scale.times : 2;
/** Time in ms within which the others have its partitions; an ordinary run goes by who took it out of the group alone. */
const MOVED_MS = isFull ? 4000 : Infinity;

let load: Load | null = null;
afterEach(async () => load?.close());

/** Ids of the members that these routers took out of the group. Kafka itself ends the session of the others, after 8 s. */
function takenOut(routers: readonly GatewayProcess[]): unknown[] {
  const lines = routers.flatMap(({ logs }) => logs);
  return lines
    .filter(({ message }) => String(message).startsWith('a router gives no sign of life'))
    .map((line) => line['member']);
}

// Fails when an offset is committed before its record is applied (lost), or when the engine does not recognise what the
// next router reads again (doubled).
it(
  'a killed router is replaced by the others: nothing lost, doubled or out of order',
  async () => {
    load = await Load.open({ nodes: [{ role: 'edge' }, { role: 'router' }, { role: 'router' }] });
    const { cluster, clients } = load;
    const flowsAfterMs: number[] = [];
    for (let time = 0; time < TIMES; time++) {
      await load.goOn();
      const [victim, ...others] = cluster.routers;
      const before = takenOut(others).length;
      const killedMs = performance.now();
      await cluster.kill(victim!);
      await load.flows();
      flowsAfterMs.push(performance.now() - killedMs);
      expect(takenOut(others)).toHaveLength(before + 1);
      await cluster.start({ role: 'router' });
    }
    const verdict = await load.verdict();
    await report('router SIGKILL', {
      times: TIMES,
      ...verdict,
      everybodyFlowsAgainMsMax: Math.round(Math.max(...flowsAfterMs)),
      sessions: clients.sum(({ sessions }) => sessions),
    });
    expect(verdict).toMatchObject(FAULTLESS);
    expect(Math.max(...flowsAfterMs)).toBeLessThan(MOVED_MS);
    expect(clients.closes()).toEqual({});
    expect(await metric(cluster.edges[0]!, 'websocket_active_connections')).toBe(clients.listeners.length);
  },
  scale.timeoutMs,
);

// Without others that watch it the one that comes in its place has to see the death. It waits for Redis until then, so that
// the start of a process on a busy machine does not take longer than the dead one's session.
it(
  'the only router is killed and another one started: it need not wait for the dead one',
  async () => {
    load = await Load.open({ nodes: [{ role: 'edge' }, { role: 'router' }] });
    const { cluster } = load;
    const proxy = await TcpProxy.start({ port: Number(new URL(testRedisUrl()).port) });
    try {
      proxy.cut();
      const replacement = await cluster.start({ role: 'router', redisPort: proxy.port, ready: false });
      await cluster.kill(cluster.routers[0]!);
      proxy.restore();
      await load.flows();
      expect(takenOut([replacement])).toHaveLength(1);
      expect(await load.verdict()).toMatchObject(FAULTLESS);
    } finally {
      await load.close();
      load = null;
      await proxy.stop();
    }
  },
  scale.timeoutMs,
);

// Fails when a router shows its sign of life as a member only after the group has begun to wait for it.
it(
  'a router killed as soon as the group knows it is taken out like any other: nobody waits for the end of its session',
  async () => {
    load = await Load.open({ nodes: [{ role: 'edge' }, { role: 'router' }, { role: 'router' }] });
    const { cluster } = load;
    const young = await cluster.start({ role: 'router', ready: false });
    const known = await waitFor(async () => {
      const members = await groupMembers(cluster.group);
      return members.length === 3 && members;
    });
    const killedMs = performance.now();
    await cluster.kill(young);
    const [dead] = await waitFor(() => {
      const members = takenOut(cluster.routers);
      return members.length > 0 && members;
    });
    expect(known).toContain(dead);
    await load.flows();
    expect(performance.now() - killedMs).toBeLessThan(MOVED_MS);
    expect(await load.verdict()).toMatchObject(FAULTLESS);
  },
  scale.timeoutMs,
);

// The group waits for both: the second one must go although the first rebalance is under way.
it(
  'two of three routers are killed at once: the third has all partitions as soon as it would have those of one',
  async () => {
    load = await Load.open({ nodes: [{ role: 'edge' }, { role: 'router' }, { role: 'router' }, { role: 'router' }] });
    const { cluster } = load;
    const [a, b] = cluster.routers;
    const killedMs = performance.now();
    await Promise.all([cluster.kill(a!), cluster.kill(b!)]);
    await load.flows();
    expect(performance.now() - killedMs).toBeLessThan(MOVED_MS);
    expect(takenOut(cluster.routers)).toHaveLength(2);
    expect(await load.verdict()).toMatchObject(FAULTLESS);
  },
  scale.timeoutMs,
);

// Fails when the late commits or publications of a router that was given up are taken, or when it is thrown out each time
// that it stands still for as long as it did before.
it(
  'a router that stands still is thrown out once, comes back and stays: nothing lost, doubled or out of order',
  async () => {
    load = await Load.open({ nodes: [{ role: 'edge' }, { role: 'router' }, { role: 'router' }] });
    const { cluster } = load;
    const [slow, other] = cluster.routers;
    // On a busy machine it may have asked for some patience before, so the first time lasts until that has ended.
    const stoppedMs = performance.now();
    process.kill(slow!.pid, 'SIGSTOP');
    await waitFor(() => takenOut([other!]).length > 0);
    const stoodMs = performance.now() - stoppedMs;
    process.kill(slow!.pid, 'SIGCONT');
    for (let time = 0; time < 2; time++) {
      await load.flows();
      // By then it has told how patient the others should be.
      await load.goOn();
      process.kill(slow!.pid, 'SIGSTOP');
      await load.goOn(stoodMs);
      process.kill(slow!.pid, 'SIGCONT');
    }
    await load.flows();
    expect(takenOut([other!])).toHaveLength(1);
    expect(await load.verdict()).toMatchObject(FAULTLESS);
  },
  scale.timeoutMs,
);
