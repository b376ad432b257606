import { afterEach, expect, it } from '@jest/globals';
import { rm } from 'node:fs/promises';
import { newDataDir, startKafka } from '@ws-gateway/testkit';
import { FAULTLESS } from './delivery-ledger.js';
import { Load } from './load.js';
import { isFull, promisedMs, report, scale } from './scale.js';

const TIMES = isFull ? 3 : 1;
/** Time in ms from the broker being back until everybody has a record that was produced then. */
const BACK_MS = 15_000;

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

// Fails when the driver ends, waits too long between its attempts or starts over where it should not.
it(
  'a killed Kafka broker comes back: records flow again in time, nothing lost, doubled or out of order',
  async () => {
    const dataDir = newDataDir();
    let kafka = await startKafka({ dataDir });
    cleanups.push(
      () => rm(dataDir, { recursive: true, force: true }),
      () => kafka.stop(),
    );
    const load = await Load.open({ nodes: [{ role: 'all' }, { role: 'all' }], brokers: kafka.address });
    cleanups.push(() => load.close());
    const flowsAfterMs: number[] = [];
    for (let time = 0; time < TIMES; time++) {
      await load.goOn();
      await kafka.kill();
      kafka = await startKafka({ dataDir, port: kafka.port });
      flowsAfterMs.push(await load.flows());
    }
    // The producer repeats what was not acknowledged, so Kafka itself may have a record twice: what the topic holds is
    // the measure.
    const verdict = await load.verdict({ fromKafka: true });
    await report('Kafka broker SIGKILL and restart', {
      times: TIMES,
      ...verdict,
      everybodyFlowsAgainMsMax: Math.round(Math.max(...flowsAfterMs)),
      closes: load.clients.closes(),
    });
    expect(verdict).toMatchObject(FAULTLESS);
    expect(load.clients.closes()).toEqual({});
    expect(Math.max(...flowsAfterMs)).toBeLessThan(promisedMs(BACK_MS));
  },
  scale.timeoutMs,
);
