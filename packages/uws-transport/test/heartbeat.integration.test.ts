import { expect, it } from '@jest/globals';
import { RawClient } from './support/raw-client.js';
import { startTransport, until } from './support/test-edge.js';
import { WsClient } from './support/ws-client.js';

it('pings a silent peer, drops it when it does not answer, and keeps the one that does', async () => {
  const running = await startTransport({ heartbeatMs: 1000 });
  const alive = await WsClient.open(running.port);
  const dead = new RawClient(running.port);
  await dead.upgrade();
  const since = performance.now();
  // The shortest idleTimeout of uWebSockets.js is 8 s, and it counts in ticks of 4 s.
  await until(() => dead.closed, 'the dead peer was dropped', 17_000);
  expect(performance.now() - since).toBeGreaterThan(3000);
  expect(dead.pings()).toBeGreaterThan(0);
  const closes = running.edge.connections.map((connection) => connection.closes.map((close) => close.code));
  expect(closes).toEqual([[], [1006]]);
  expect(alive.pings).toBeGreaterThan(0);
  expect(alive.close).toBeNull();
  alive.socket.terminate();
  await running.stop();
});

// Regression: sockets that came together were all pinged in the same millisecond, which held the node every heartbeat.
it('pings sockets that came together at different times, each once a heartbeat', async () => {
  const running = await startTransport({ heartbeatMs: 2000 });
  const clients = await Promise.all(Array.from({ length: 40 }, () => WsClient.open(running.port)));
  const waves = new Set<number>();
  const began = performance.now();
  for (const client of clients) {
    client.socket.once('ping', () => waves.add(Math.floor((performance.now() - began) / 250)));
  }
  await until(() => clients.every((client) => client.pings > 0), 'everybody was pinged', 4000);
  expect(waves.size).toBeGreaterThan(3);
  for (const client of clients) client.socket.terminate();
  await running.stop();
});
