import { afterEach, expect, it } from '@jest/globals';
import { holesIn, startKafka, waitFor } from '@ws-gateway/testkit';
import { metric } from './gateway-processes.js';
import { FAULTLESS } from './delivery-ledger.js';
import { Load, TOPIC } from './load.js';
import { scale } from './scale.js';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

// Fails when offsets that hold no record any more count as lag, or a hole as the beginning of another log.
it(
  'records of a compacted log come once and in order across its holes, and the lag reaches 0',
  async () => {
    const kafka = await startKafka({ settings: ['log.cleaner.backoff.ms=200'] });
    cleanups.push(() => kafka.stop());
    const nodes = [{ role: 'edge' }, { role: 'router' }] as const;
    const load = await Load.open({ nodes, brokers: kafka.address, compacted: true, rate: 100 });
    cleanups.push(() => load.close());
    const { cluster } = load;
    await cluster.kill(cluster.routers[0]!);
    const holes = () => holesIn(cluster.kafkaTopic(TOPIC), { brokers: kafka.address });
    // Those behind what the router has committed are what the next one meets.
    const before = await holes();
    await waitFor(async () => (await holes()) > before + 20, { timeoutMs: 60_000, what: 'holes in the log' });
    await cluster.start({ role: 'router' });
    await load.flows();
    expect(await load.verdict()).toMatchObject(FAULTLESS);
    const lag = () => metric(cluster.routers[0]!, 'kafka_consumer_lag');
    await waitFor(async () => (await lag()) === 0, { timeoutMs: 20_000, what: 'no lag' });
  },
  scale.timeoutMs,
);
