import { EngineStats, type NodeStatus } from '@ws-gateway/core';
import { RedisEngine } from '@ws-gateway/redis-engine';
import type { MeasuredRedis } from './local-redis.js';
import { quiet } from './quiet.js';
import { unusedInbox } from './row-load.js';

/** Nodes without sockets that do nothing but live: half of them edges, half routers that say they read `topics`. */
export class NodeLoad {
  readonly engines: readonly RedisEngine[];

  private constructor(engines: readonly RedisEngine[]) {
    this.engines = engines;
  }

  static async start(
    redis: MeasuredRedis,
    { nodes, topics }: { readonly nodes: number; readonly topics: number },
  ): Promise<NodeLoad> {
    const start = async (number: number, role: 'edge' | 'router'): Promise<RedisEngine> => {
      const { host, port } = redis;
      const node = `ws-gateway-${role}-7c9d8b6f5-${String(number).padStart(5, '0')}`;
      const options = { node, role, server: { host, port }, keyPrefix: 'bench', partitions: 1 } as const;
      const engine = new RedisEngine({ logger: quiet, stats: new EngineStats() }, options);
      engine.report(statusOf(role, topics));
      await engine.start(unusedInbox);
      return engine;
    };
    const started: RedisEngine[] = [];
    for (let number = 0; number < nodes; number++)
      started.push(await start(number, number % 2 === 0 ? 'edge' : 'router'));
    return new NodeLoad(started);
  }

  async stop(): Promise<void> {
    await Promise.all(this.engines.map((engine) => engine.stop()));
  }
}

function statusOf(role: 'edge' | 'router', topics: number): NodeStatus {
  const names = role === 'router' ? Array.from({ length: topics }, (_, number) => `notifications-${number}`) : [];
  const rest = { address: '10.0.0.1:8080', version: '2.0.0', sinceMs: Date.now(), connections: 20_000, users: 20_000 };
  const lag = Object.fromEntries(names.map((name) => [name, 17]));
  const partitions = Object.fromEntries(names.map((name) => [name, 2]));
  return { ...rest, role, draining: false, lag, partitions, deadLetters: 0, ageP99Ms: 25 };
}
