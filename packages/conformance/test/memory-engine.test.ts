import { EngineStats, MemoryEngine } from '@ws-gateway/core';
import { engineConformance } from '../src/engine-conformance.js';

// The suite runs here and not in core, because core may not depend on a package that depends on core.
async function createHarness() {
  let elapsedMs = 0;
  return {
    createEngine: (node: string) =>
      new MemoryEngine({ node, stats: new EngineStats(), clock: () => Date.now() + elapsedMs }),
    elapse: async (ms: number) => void (elapsedMs += ms),
    stop: async () => undefined,
  };
}

engineConformance('MemoryEngine', createHarness, { severalNodes: false });
