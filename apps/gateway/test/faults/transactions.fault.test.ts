import { afterEach, expect, it } from '@jest/globals';
import { waitFor } from '@ws-gateway/testkit';
import { metric } from './gateway-processes.js';
import { FAULTLESS } from './delivery-ledger.js';
import { Load } from './load.js';
import { scale } from './scale.js';

let load: Load | null = null;
afterEach(async () => load?.close());

// Fails when markers and aborted records count as records, or as lag.
it(
  'records of transactions come once and in order across a killed router, aborted ones never, and the lag reaches 0',
  async () => {
    const nodes = [{ role: 'edge' }, { role: 'router' }, { role: 'router' }] as const;
    load = await Load.open({ nodes, transactional: true, rate: 100 });
    const { cluster } = load;
    await load.goOn();
    await cluster.kill(cluster.routers[0]!);
    await load.flows();
    expect(await load.verdict()).toMatchObject(FAULTLESS);
    const lag = () => metric(cluster.routers[0]!, 'kafka_consumer_lag');
    await waitFor(async () => (await lag()) === 0, { timeoutMs: 20_000, what: 'no lag' });
  },
  scale.timeoutMs,
);
