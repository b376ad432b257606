import type { NodeStatus } from './engine.js';

/** What a node says of itself before it was told. */
export function initialStatus(role: NodeStatus['role'], sinceMs: number): NodeStatus {
  return { role, address: '', version: '', sinceMs, connections: 0, users: 0, draining: false, lag: {} };
}
