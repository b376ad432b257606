import { afterEach, expect, it } from '@jest/globals';
import { FAULTLESS } from './delivery-ledger.js';
import type { NodeSpec } from './gateway-processes.js';
import { Load } from './load.js';
import { isFull, report, scale } from './scale.js';

/** Program of the release before (bench/faults/roll.mjs); without it the roll is one from this release to this one. */
const BEFORE = process.env['WSGATEWAY_FAULTS_BEFORE'];
const ROUNDS = isFull ? 3 : 1;

let load: Load | null = null;
afterEach(async () => load?.close());

// Fails when a node cannot read what one of the other release writes: batches, rows, positions, notes of commits, members of
// the group. Each node is replaced by one of the other release while records flow, there and back.
it(
  'nodes are replaced one by one by those of another release, and back: nothing lost, doubled or out of order',
  async () => {
    const before: NodeSpec = { role: 'all', ...(BEFORE !== undefined && { program: BEFORE }) };
    const now: NodeSpec = { role: 'all' };
    load = await Load.open({ nodes: [before, before], drain: { duration: '1s', deadline: '20s' } });
    const { cluster, clients } = load;
    const exits: unknown[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      for (const next of [now, before]) {
        for (const node of cluster.nodes) {
          await cluster.start(next);
          await load.goOn();
          exits.push(await cluster.stop(node));
          await clients.connected(cluster.targets());
          await load.flows();
        }
      }
    }
    const verdict = await load.verdict();
    await report('roll to another release and back', { times: ROUNDS, ...verdict, closes: clients.closes() });
    expect(verdict).toMatchObject(FAULTLESS);
    expect(exits).toEqual(exits.map(() => ({ code: 0, signal: null })));
    expect(clients.listeners.filter(({ told }) => told)).toEqual([]);
  },
  scale.timeoutMs,
);
