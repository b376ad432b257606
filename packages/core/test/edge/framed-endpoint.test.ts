import { expect, it } from '@jest/globals';
import type { Connection } from '../../src/edge/delivery/connection.js';
import { FramedEndpoint } from '../../src/edge/framed-endpoint.js';

/** Time over which clients of a node with so many sockets are told to come back. */
function spreadMs(sockets: number): number {
  const options = { path: '/ws', guests: false, hub: null, node: 'n1', heartbeatMs: 25_000 };
  const endpoint = new FramedEndpoint({ receive: () => undefined }, { ...options, countConnections: () => sockets });
  const frame = endpoint.greeting({ id: 'c1', user: 'ann' } as Connection, []);
  return (JSON.parse(frame) as { payload: { reconnect_spread_ms: number } }).payload.reconnect_spread_ms;
}

it('clients come back over 2 s at least, and at most four of them in a ms', () => {
  expect([0, 8000, 10_000, 100_001].map(spreadMs)).toEqual([2000, 2000, 2500, 25_001]);
});
