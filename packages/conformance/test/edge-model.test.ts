import {
  EngineStats,
  MemoryEngine,
  type AdmitRequest,
  type AdmitResult,
  type HistoryPage,
  type Position,
  type RetainedStream,
} from '@ws-gateway/core';
import { edgeModel } from '../src/edge-model.js';

async function turns(count: number): Promise<void> {
  for (let at = 0; at < count; at++) await new Promise<void>((resolve) => setImmediate(resolve));
}

/** An engine whose answers come some turns after its decision, as over a network: messages arrive in between. */
class DistantEngine extends MemoryEngine {
  override async admit(request: AdmitRequest): Promise<AdmitResult> {
    const result = await super.admit(request);
    await turns(1);
    return result;
  }

  override async positions(streams: readonly RetainedStream[]): Promise<Position[]> {
    const positions = await super.positions(streams);
    await turns(1);
    return positions;
  }

  override async read(stream: RetainedStream, after: Position | null, limit: number): Promise<HistoryPage> {
    const page = await super.read(stream, after, limit);
    // This call takes longer than the others, so that clients that come later can share it while it is under way.
    await turns(3);
    return page;
  }
}

async function createHarness() {
  return {
    createEngine: async (node: string) => new DistantEngine({ node, stats: new EngineStats() }),
    stop: async () => undefined,
  };
}

edgeModel('MemoryEngine', createHarness, { nodes: 1, runs: 1500, budgetMs: 30_000 });
