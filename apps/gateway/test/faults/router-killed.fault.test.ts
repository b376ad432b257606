import { afterEach, expect, it } from '@jest/globals';
import { metric } from './gateway-processes.js';
import { FAULTLESS } from './delivery-ledger.js';
import { Load } from './load.js';
import { isFull, report, scale } from './scale.js';

const TIMES = isFull ? scale.times : 1;

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
      await cluster.kill(cluster.routers[0]!);
      const replacement = cluster.start({ role: 'router' });
      // A dead member keeps its partitions until its session ends, and the next generation waits for it.
      flowsAfterMs.push(await load.flows());
      await replacement;
    }
    const verdict = await load.verdict();
    await report('router SIGKILL', {
      times: TIMES,
      ...verdict,
      everybodyFlowsAgainMsMax: Math.round(Math.max(...flowsAfterMs)),
      sessions: clients.sum(({ sessions }) => sessions),
    });
    expect(verdict).toMatchObject(FAULTLESS);
    expect(clients.closes()).toEqual({});
    expect(await metric(cluster.edges[0]!, 'websocket_active_connections')).toBe(clients.listeners.length);
  },
  scale.timeoutMs,
);
