import { afterEach, expect, it } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { TcpProxy, testRedisUrl } from '@ws-gateway/testkit';
import { metric } from './gateway-processes.js';
import { FAULTLESS } from './delivery-ledger.js';
import { Load } from './load.js';
import { report, scale } from './scale.js';

const CUT_MS = 2000;

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

// Fails when a publish of unknown outcome is given up or repeated blindly, or when an inbox is not read on from where the
// connection broke.
it(
  'cutting the connections to Redis loses and doubles nothing, and no client notices more than a delay',
  async () => {
    const port = Number(new URL(testRedisUrl()).port);
    const proxies = [await TcpProxy.start({ port }), await TcpProxy.start({ port })];
    cleanups.push(() => Promise.all(proxies.map((proxy) => proxy.stop())));
    const load = await Load.open({ nodes: proxies.map((proxy) => ({ role: 'all', redisPort: proxy.port })) });
    cleanups.push(() => load.close());
    const { clients, cluster } = load;
    const flowsAfterMs: number[] = [];
    for (let time = 0; time < scale.times; time++) {
      // The cut meets one node, then the other one, then both.
      const cut = time % 3 === 2 ? proxies : [proxies[time % 3]!];
      await load.goOn();
      for (const proxy of cut) proxy.cut();
      await delay(CUT_MS);
      for (const proxy of cut) proxy.restore();
      flowsAfterMs.push(await load.flows());
    }
    const verdict = await load.verdict();
    let repairs = 0;
    for (const node of cluster.nodes) repairs += await metric(node, 'engine_gap_repairs_total');
    await report('Redis connection cut 2 s', {
      times: scale.times,
      ...verdict,
      gapRepairs: repairs,
      everybodyFlowsAgainMsMax: Math.round(Math.max(...flowsAfterMs)),
      closes: clients.closes(),
    });
    expect(verdict).toMatchObject(FAULTLESS);
    expect(clients.closes()).toEqual({});
    expect(repairs).toBeGreaterThan(0);
  },
  scale.timeoutMs,
);
