import { engineConformance } from '@ws-gateway/conformance/engine';
import { createHarness } from './harness.js';

const abilities = { severalNodes: true, losesData: true };

engineConformance('RedisEngine', () => createHarness(), abilities);
engineConformance('RedisEngine with five partitions', () => createHarness({ partitions: 5 }), abilities);
// From the first node on, where eight are needed by default.
const shared = { partitions: 2, sharingNodesMin: 1 };
engineConformance('RedisEngine whose nodes share what they all get', () => createHarness(shared), abilities);
