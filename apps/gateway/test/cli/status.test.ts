import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { run } from './running.js';

/** Three nodes of which each is first by other columns. */
const NODES = [
  { node: 'a', connections: 5, users: 1, partitions: { t: 2 }, lag: { t: 0, u: 9 }, dead_letters: 0, age_p99_ms: null },
  { node: 'b', connections: 9, users: 2, partitions: { t: 1 }, lag: { t: 5 }, dead_letters: 7, age_p99_ms: 0.5 },
  { node: 'c', connections: 0, users: 3, partitions: { t: 1, u: 2 }, lag: {}, dead_letters: 1, age_p99_ms: 250 },
].map((node, at) => ({
  ...{ role: 'all', address: '10.0.0.1:80', version: '1.0.0', draining: false },
  since: new Date(Date.now() - [90_000, 5_000, 7_200_000][at]!).toISOString(),
  ...node,
}));

let server: Server;
let url: string;

beforeAll(async () => {
  server = createServer((_, response) => response.end(JSON.stringify({ nodes: NODES })));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

async function table(...args: readonly string[]): Promise<string[]> {
  const { code, stdout, stderr } = await run(['status', '--url', url, ...args], {
    env: { WSGATEWAY_ADMIN_TOKEN: 'any' },
  });
  expect([code, stderr]).toEqual([0, '']);
  return stdout.trimEnd().split('\n').slice(1, -1);
}

describe('ws-gateway status', () => {
  it.each([
    ['node', 'abc'],
    ['connections', 'bac'],
    ['users', 'cba'],
    ['partitions', 'cab'],
    ['lag', 'abc'],
    ['dead', 'bca'],
    ['p99', 'cba'],
    ['up', 'cab'],
  ])('--sort %s puts the largest first', async (column, order) => {
    expect((await table('--sort', column)).map((row) => row[0]).join('')).toBe(order);
  });

  it('shows dead letters, age, partitions and lag of each node', async () => {
    const [a, b] = (await table()).map((row) => row.split(/ {2,}/));
    expect(a!.slice(0, 9)).toEqual(['a', 'all', 'serving', '5', '1', '2', 'u 9', '0', '-']);
    expect(b!.slice(0, 9)).toEqual(['b', 'all', 'serving', '9', '2', '1', 't 5', '7', '0.5 ms']);
  });
});
