import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { startGateway, uniqueName, waitFor, WsClient, type GatewayProcess } from '@ws-gateway/testkit';
import { token } from '../gateway-cluster.js';
import { metric } from './gateway-processes.js';

/** A few short of what the process needs for itself would end it; so many are gone in a moment. */
const DESCRIPTORS = 150;
const SILENT = 220;
/** Share of one core that the node may take while all of them are there. */
const CPU_MAX = 0.2;
const TICKS_PER_SECOND = 100;
/** Pause between two health checks. Without one a fast machine makes 1,000 a second, and their own CPU passes the limit. */
const CHECK_EVERY_MS = 50;

let gateway: GatewayProcess;
const silent: Socket[] = [];

beforeAll(async () => {
  gateway = await startGateway({
    descriptors: DESCRIPTORS,
    config: { role: 'edge', kafka: { topics: ['notifications'] }, redis: { keyPrefix: uniqueName('silent') } },
  });
}, 90_000);
afterAll(async () => {
  for (const socket of silent) socket.destroy();
  await gateway?.stop();
}, 60_000);

function cpuSeconds(): number {
  const fields = readFileSync(`/proc/${gateway.pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

async function health(): Promise<{ status: number; ms: number }> {
  const startedAt = performance.now();
  const response = await fetch(`${gateway.httpUrl}/health`, { headers: { connection: 'close' } });
  await response.text();
  return { status: response.status, ms: performance.now() - startedAt };
}

const saidTo = (what: string) => gateway.logs.some(({ message }) => message === what);

// uWebSockets.js gives a connection 10 s for its request. 220 silent ones took all descriptors for so long: accept failed at
// each turn of the loop, which took a third of a core, and health checks waited behind them.
it('connections that say nothing and take all descriptors keep nobody from /health, and the loop from nothing', async () => {
  for (let at = 0; at < SILENT; at++) {
    const socket = connect(gateway.port, '127.0.0.1');
    socket.on('error', () => undefined);
    silent.push(socket);
  }
  await waitFor(() => saidTo('out of file descriptors, new connections are refused'), { what: 'a warning' });
  const [startedAt, cpuBefore] = [performance.now(), cpuSeconds()];
  while (performance.now() - startedAt < 3000) {
    const { status, ms } = await health();
    expect(status).toBe(200);
    expect(ms).toBeLessThan(1000);
    await delay(CHECK_EVERY_MS);
  }
  const share = (cpuSeconds() - cpuBefore) / ((performance.now() - startedAt) / 1000);
  expect(share).toBeLessThan(CPU_MAX);

  expect(await metric(gateway, 'descriptors_exhausted')).toBe(1);
  expect(await metric(gateway, 'tcp_connections_dropped_total')).toBeGreaterThan(0);
  const refused = await WsClient.open(`${gateway.wsUrl}/ws?token=${token('ann')}`, { protocols: ['wsg.v1'] });
  expect(await refused.closed).toEqual({ code: 4203, reason: 'full' });
  expect((await WsClient.refused(`${gateway.wsUrl}/ws?token=${token('ann')}`)).status).toBe(503);

  for (const socket of silent) socket.destroy();
  await waitFor(() => saidTo('there are file descriptors again'), { what: 'the end of it' });
  const ann = await WsClient.open(`${gateway.wsUrl}/ws?token=${token('ann')}`);
  await ann.next('connected');
  expect(await metric(gateway, 'descriptors_exhausted')).toBe(0);
  await ann.close();
}, 60_000);
