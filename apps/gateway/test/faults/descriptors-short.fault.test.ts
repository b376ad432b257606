import { connect } from 'node:net';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { startGateway, uniqueName, waitFor, WsClient, type GatewayProcess } from '@ws-gateway/testkit';
import { token } from '../gateway-cluster.js';

const DESCRIPTORS = 300;
const CLIENTS = 500;
/** A machine with much else to do may end some unheard all the same. */
const TOLD_MIN = 400;

let gateway: GatewayProcess;

beforeAll(async () => {
  gateway = await startGateway({
    descriptors: DESCRIPTORS,
    config: { role: 'edge', kafka: { topics: ['notifications'] }, redis: { keyPrefix: uniqueName('short') } },
  });
}, 90_000);
afterAll(() => gateway?.stop(), 60_000);

/** Comes with its request at once, and stays if it may; resolves with the status of the answer, or how it ended without one. */
function outcomeOf(user: string): Promise<string> {
  return new Promise((resolve) => {
    const lines = [
      `GET /ws?token=${token(user)} HTTP/1.1`,
      ...['Host: localhost', 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'],
      `Sec-WebSocket-Key: ${Buffer.alloc(16).toString('base64')}`,
    ];
    const socket = connect(gateway.port, '127.0.0.1', () => socket.write(`${lines.join('\r\n')}\r\n\r\n`));
    socket.on('data', (data) => {
      const status = data.toString('latin1').slice('HTTP/1.1 '.length, 'HTTP/1.1 101'.length);
      resolve(status);
      if (status !== '101') socket.destroy();
    });
    socket.on('error', (error) => resolve(error.message));
    socket.on('close', () => resolve('closed without an answer'));
    clients.push(() => socket.destroy());
  });
}

const clients: (() => void)[] = [];

// Each connection that was ended as it was accepted made room for the next one, which was ended as well: of 500 that came at
// once 259 were reset, and nobody told them that the node is full.
it('of more clients at once than there are descriptors nearly each is let in or told 503, and later ones are served', async () => {
  const outcomes = await Promise.all(Array.from({ length: CLIENTS }, (_, at) => outcomeOf(`u${at}`)));
  const told = outcomes.filter((outcome) => outcome === '101' || outcome === '503');
  expect(told.length).toBeGreaterThan(TOLD_MIN);
  expect(told).toContain('503');
  for (const leave of clients) leave();
  const isServed = (): Promise<boolean> =>
    WsClient.open(`${gateway.wsUrl}/ws?token=${token('late')}`).then(
      async (client) => (await client.close()).code === 1000,
      () => false,
    );
  await waitFor(isServed, { timeoutMs: 20_000, what: 'a client to be served again' });
}, 60_000);
