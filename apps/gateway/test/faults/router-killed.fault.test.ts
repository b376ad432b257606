import { afterEach, expect, it } from '@jest/globals';
import { metric } from './gateway-processes.js';
import { FAULTLESS } from './delivery-ledger.js';
import { Load } from './load.js';
import { isFull, report, scale } from './scale.js';

const TIMES = isFull ? scale.times : 2;
/** Time in ms after which Kafka itself gives a dead member's partitions to others: its session. */
const SESSION_MS = 8000;
/** Time in ms within which the others have them: on a machine that does other things beside, sooner than the session's end. */
const MOVED_MS = isFull ? 4000 : SESSION_MS;

let load: Load | null = null;
afterEach(async () => load?.close());

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
      const killedMs = performance.now();
      await cluster.kill(cluster.routers[0]!);
      await load.flows();
      flowsAfterMs.push(performance.now() - killedMs);
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

// Without others that watch it the one that comes in its place has to see the death.
it(
  'the only router is killed and another one started: it need not wait for the dead one',
  async () => {
    load = await Load.open({ nodes: [{ role: 'edge' }, { role: 'router' }] });
    const { cluster } = load;
    const killedMs = performance.now();
    await cluster.kill(cluster.routers[0]!);
    const replacement = cluster.start({ role: 'router' });
    await load.flows();
    expect(performance.now() - killedMs).toBeLessThan(SESSION_MS);
    await replacement;
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
    // A router that dies before its first sign of life as a member is found by Kafka only, at the end of its session.
    await load.goOn();
    const killedMs = performance.now();
    await Promise.all([cluster.kill(a!), cluster.kill(b!)]);
    await load.flows();
    expect(performance.now() - killedMs).toBeLessThan(MOVED_MS);
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
    for (let time = 0; time < 3; time++) {
      process.kill(slow!.pid, 'SIGSTOP');
      await load.goOn(3000);
      process.kill(slow!.pid, 'SIGCONT');
      await load.flows();
      // By then it has told how patient the others should be.
      await load.goOn();
    }
    const evictions = other!.output.filter((line) => line.includes('gives no sign of life'));
    expect(evictions).toHaveLength(1);
    expect(await load.verdict()).toMatchObject(FAULTLESS);
  },
  scale.timeoutMs,
);
