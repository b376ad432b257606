import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { freePort, signToken, startGateway, TEST_SECRET, WsClient, type GatewayProcess } from '@ws-gateway/testkit';

const ADMIN_TOKEN = 'token-of-the-operators-of-this-test';

let gateway: GatewayProcess;
let ports: { readonly clients: number; readonly ops: number };
beforeAll(async () => {
  ports = { clients: await freePort(), ops: await freePort() };
  gateway = await startGateway({
    // Where it is asked whether it is ready.
    port: ports.ops,
    config: {
      ...{ engine: 'memory', kafka: { topics: [] }, admin: { token: ADMIN_TOKEN }, console: { enabled: true } },
      ...{ server: { host: '::', port: ports.clients }, ops: { port: ports.ops } },
    },
  });
}, 90_000);
afterAll(() => gateway?.kill());

const authorization = { authorization: `Bearer ${ADMIN_TOKEN}` };
const hosts = ['127.0.0.1', '[::1]'];

/** Sends bytes and reads until the other side ends. */
async function raw(port: number, request: string): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.write(request);
  return text(socket);
}

describe('the port of operators', () => {
  it.each(hosts)('has health, metrics, the API, its description and the console, at %s', async (host) => {
    const url = `http://${host}:${ports.ops}`;
    const ask = (path: string): Promise<Response> => fetch(url + path, { headers: authorization });
    for (const path of ['/health', '/ready', '/ping', '/metrics', '/api/nodes', '/api/openapi.json', '/']) {
      expect([path, (await ask(path)).status]).toEqual([path, 200]);
    }
    expect(await (await ask('/')).text()).toContain('<title>');
    expect((await fetch(`${url}/api/nodes`)).status).toBe(401);
  });

  it('takes no sockets, and leaves nothing else on the port of the clients', async () => {
    const token = signToken({ sub: 'ann' }, TEST_SECRET);
    for (const host of hosts) {
      const client = await WsClient.open(`ws://${host}:${ports.clients}/ws?token=${token}`);
      await client.next('connected');
      await client.close();
      for (const path of ['/health', '/metrics', '/api/nodes', '/']) {
        const { status } = await fetch(`http://${host}:${ports.clients}${path}`, { headers: authorization });
        expect([path, status]).toEqual([path, 404]);
      }
    }
    await expect(WsClient.open(`ws://127.0.0.1:${ports.ops}/ws?token=${token}`)).rejects.toThrow();
  });

  it('refuses HTTP/1.0 by name, as docs/deploying.md tells balancers', async () => {
    for (const port of Object.values(ports)) {
      expect(await raw(port, 'GET /ready HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.1 505 /);
    }
    const asked = 'GET /ready HTTP/1.1\r\nHost: balancer\r\nConnection: close\r\n\r\n';
    expect(await raw(ports.ops, asked)).toMatch(/^HTTP\/1\.1 200 /);
  });
});
