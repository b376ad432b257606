import { afterEach, expect, it } from '@jest/globals';
import { waitFor } from '@ws-gateway/testkit';
import { metric } from './gateway-processes.js';
import { FAULTLESS } from './delivery-ledger.js';
import { Load } from './load.js';
import { isFull, promisedMs, report, scale } from './scale.js';

/**
 * Time in ms within which a killed node's rows are gone: they live as long as its lease, 10 s, and until somebody
 * looks.
 */
const REAPED_MS = 15_000;

let load: Load | null = null;
afterEach(async () => load?.close());

// Fails when a client cannot prove elsewhere where it was, or when what lay in a dead node's inbox is gone with it.
it(
  'clients of killed edge nodes resume elsewhere: nothing lost, doubled or out of order, and the rows are gone in time',
  async () => {
    load = await Load.open({ nodes: [{ role: 'router' }, { role: 'edge' }, { role: 'edge' }] });
    const { cluster, clients } = load;
    const reapedAfterMs: number[] = [];
    const backAfterMs: number[] = [];
    for (let time = 1; time <= scale.times; time++) {
      await load.goOn();
      const victim = cluster.edges[0]!;
      const rows = clients.on(victim.wsUrl).length;
      expect(rows).toBeGreaterThan(0);
      const reapedBefore = await reapedRows(cluster.nodes);
      const killedMs = performance.now();
      await cluster.kill(victim);
      const replacement = cluster.start({ role: 'edge' });
      await load.flows();
      backAfterMs.push(performance.now() - killedMs);
      await replacement;
      // A lease takes its time, so a short run waits for one only.
      if (!isFull && time < scale.times) continue;
      await waitFor(async () => (await newlyReaped(cluster.nodes, reapedBefore)) >= rows, {
        timeoutMs: promisedMs(REAPED_MS),
        what: 'the rows to be reaped',
      });
      reapedAfterMs.push(performance.now() - killedMs);
    }
    const verdict = await load.verdict();
    const recoveries = clients.sum((one) => one.recoveries);
    await report('edge node SIGKILL', {
      times: scale.times,
      ...verdict,
      recoveries,
      replayed: clients.sum((one) => one.replayed),
      presenceRowsGoneMsMax: Math.round(Math.max(...reapedAfterMs)),
      everybodyFlowsAgainMsMax: Math.round(Math.max(...backAfterMs)),
    });
    expect(verdict).toMatchObject(FAULTLESS);
    expect(clients.listeners.filter(({ told }) => told)).toEqual([]);
    expect(recoveries).toBeGreaterThan(0);
    expect(Math.max(...reapedAfterMs)).toBeLessThan(promisedMs(REAPED_MS));
  },
  scale.timeoutMs,
);

type Nodes = Load['cluster']['nodes'];

async function reapedRows(nodes: Nodes): Promise<Map<number, number>> {
  const rows = new Map<number, number>();
  for (const node of nodes) rows.set(node.pid, await metric(node, 'presence_rows_reaped_total'));
  return rows;
}

/** Counts the rows that the remaining nodes reaped. */
async function newlyReaped(nodes: Nodes, before: ReadonlyMap<number, number>): Promise<number> {
  let sum = 0;
  for (const [pid, rows] of await reapedRows(nodes)) sum += rows - (before.get(pid) ?? 0);
  return sum;
}
