import { engineConformance } from '@ws-gateway/conformance/engine';
import { createHarness } from './harness.js';

engineConformance('RedisEngine', () => createHarness(), { severalNodes: true, losesData: true });
engineConformance('RedisEngine with five partitions', () => createHarness({ partitions: 5 }), {
  severalNodes: true,
  losesData: true,
});
