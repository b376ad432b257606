import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { GatewayProcess } from '@ws-gateway/testkit';
import { ADMIN_TOKEN } from '../admin/admin-client.js';
import { GatewayCluster } from '../gateway-cluster.js';

/** Tests of the page as it is served; page.integration.test.ts has what it does in a browser. */

let cluster: GatewayCluster;
let node: GatewayProcess;
let withoutConsole: GatewayProcess;

beforeAll(async () => {
  const config = { console: { enabled: true }, admin: { token: ADMIN_TOKEN } };
  cluster = await GatewayCluster.open({ nodes: [{ config }, {}], topics: { audit: { clientVisible: false } } });
  [node, withoutConsole] = cluster.nodes as [GatewayProcess, GatewayProcess];
}, 60_000);
afterAll(() => cluster?.close(), 30_000);

async function get(path: string, from = node): Promise<{ status: number; type: string; csp: string; body: string }> {
  const response = await fetch(from.httpUrl + path);
  return {
    status: response.status,
    type: response.headers.get('content-type') ?? '',
    csp: response.headers.get('content-security-policy') ?? '',
    body: await response.text(),
  };
}

describe('the console', () => {
  it('is an HTML page at /, with all it needs from the same node', async () => {
    const { status, type, body } = await get('/');
    expect({ status, type }).toEqual({ status: 200, type: 'text/html; charset=utf-8' });
    const needed = [...body.matchAll(/(?:src|href)="([^"#]+)"/g)].map(([, path]) => path!);
    expect(needed).toEqual(expect.arrayContaining(['console/main.js', 'console/console.css', 'console/icon.svg']));
    for (const path of needed) expect(await get(`/${path}`)).toMatchObject({ status: 200 });
    expect(await get('/console/main.js')).toMatchObject({ type: 'text/javascript; charset=utf-8' });
    expect(await get('/console/client/index.js')).toMatchObject({ status: 200 });
  });

  it('lets no script run but its own files', async () => {
    const { csp, body } = await get('/');
    const policy = new Map(csp.split('; ').map((part) => [part.split(' ')[0], part]));
    expect(policy.get('default-src')).toBe("default-src 'none'");
    expect(policy.get('script-src')).toBe("script-src 'self'");
    expect(policy.get('style-src')).toBe("style-src 'self'");
    expect(csp).toContain("require-trusted-types-for 'script'");
    expect(csp).not.toMatch(/unsafe|https?:|\*/);
    expect(body).not.toMatch(/<script(?![^>]* src=)|<style|\sstyle=|\son\w+=|javascript:/i);
  });

  it('serves no other file, however it is asked for', async () => {
    const others = [
      'tsconfig.json',
      'main.ts',
      '..%2fpackage.json',
      '%2e%2e/package.json',
      'client/..%2f..%2findex.js',
    ];
    for (const path of others) {
      const { status, body } = await get(`/console/${path}`);
      expect([path, status]).toEqual([path, 404]);
      expect(JSON.parse(body)).toMatchObject({ error: { code: 'unknown_endpoint' } });
    }
  });

  it('tells of the node what clients may know, and no secret', async () => {
    const { body } = await get('/console/settings.json');
    expect(JSON.parse(body)).toEqual({
      node: expect.any(String),
      version: expect.any(String),
      role: 'all',
      topics: ['balance-updates', 'user-blocks', 'notifications', 'wss'],
      metrics: { path: '/metrics', namespace: 'ws_gateway' },
      admin: true,
      sockets: null,
    });
  });

  it('is not there unless it is enabled', async () => {
    for (const path of ['/', '/console/main.js', '/console/settings.json', '/console/client/index.js']) {
      expect(await get(path, withoutConsole)).toMatchObject({ status: 404, type: 'application/json' });
    }
  });
});
