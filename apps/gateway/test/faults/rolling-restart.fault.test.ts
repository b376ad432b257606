import { afterEach, expect, it } from '@jest/globals';
import { FAULTLESS } from './delivery-ledger.js';
import { Load } from './load.js';
import { report, scale } from './scale.js';

let load: Load | null = null;
afterEach(async () => load?.close());

// Fails when a node that goes away drops sockets before its clients can come back elsewhere, stops reading before it has
// settled what it read, or leaves rows behind that catch messages.
it(
  'all nodes are replaced one by one under load: nothing lost, doubled or out of order, every node ends with 0',
  async () => {
    const drain = { duration: '1s', deadline: '20s' };
    load = await Load.open({ nodes: [{ role: 'all' }, { role: 'all' }], drain });
    const { cluster, clients } = load;
    const exits: unknown[] = [];
    const stoppedAfterMs: number[] = [];
    const rounds = Math.ceil(scale.times / 2);
    for (let round = 0; round < rounds; round++) {
      for (const node of cluster.nodes) {
        await cluster.start({ role: 'all' });
        const askedMs = performance.now();
        exits.push(await cluster.stop(node));
        stoppedAfterMs.push(performance.now() - askedMs);
        await clients.connected(cluster.targets());
        await load.flows();
      }
    }
    const verdict = await load.verdict();
    await report('rolling restart of all nodes', {
      times: rounds,
      ...verdict,
      closes: clients.closes(),
      stopMsMax: Math.round(Math.max(...stoppedAfterMs)),
    });
    expect(verdict).toMatchObject(FAULTLESS);
    expect(exits).toEqual(exits.map(() => ({ code: 0, signal: null })));
    // Every session ended with 4000, and no client was told of lost history.
    expect(Object.keys(clients.closes()).filter((code) => code !== '4000' && code !== '0')).toEqual([]);
    expect(clients.listeners.filter(({ told }) => told)).toEqual([]);
  },
  scale.timeoutMs,
);
