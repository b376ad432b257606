import type { Engine } from '@ws-gateway/core';
import { TcpProxy, testRedisUrl } from '@ws-gateway/testkit';
import { edgeModel, type ModelHarness } from '@ws-gateway/conformance/edge-model';
import type { RedisEngineOptions } from '../src/index.js';
import { createHarness, serverAt } from './harness.js';

/** Each node has a cable of its own: it is dead when that is cut and nobody mends it. */
async function modelHarness(options: Partial<RedisEngineOptions>): Promise<ModelHarness> {
  const harness = await createHarness(options);
  const proxies = new Map<Engine, TcpProxy>();
  return {
    createEngine: async (node) => {
      const proxy = await TcpProxy.start(serverAt(testRedisUrl()));
      const engine = harness.createEngine(node, { server: { host: '127.0.0.1', port: proxy.port } });
      proxies.set(engine, proxy);
      return engine;
    },
    kill: async (engine) => {
      proxies.get(engine)!.cut();
      await engine.stop();
    },
    stop: async () => {
      await Promise.all(Array.from(proxies.values(), (proxy) => proxy.stop()));
    },
  };
}

edgeModel('RedisEngine', () => modelHarness({}), { nodes: 2, runs: 200, budgetMs: 10_000 });
edgeModel('RedisEngine with three partitions', () => modelHarness({ partitions: 3 }), {
  nodes: 3,
  runs: 200,
  budgetMs: 10_000,
});
// What two of the three get goes by the log that they share; with the third it may change its way.
edgeModel('RedisEngine whose nodes share what they all get', () => modelHarness({ sharingNodesMin: 2 }), {
  nodes: 3,
  runs: 200,
  budgetMs: 10_000,
});
