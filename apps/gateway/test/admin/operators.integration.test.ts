import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startGateway, uniqueName, type GatewayProcess } from '@ws-gateway/testkit';
import { adminRoutes } from '../../src/admin/admin-routes.js';
import { ADMIN_TOKEN, call } from './admin-client.js';

const ALICE = 'the-token-of-alice';
const BOB = 'the-token-of-bob';

let node: GatewayProcess;
beforeAll(async () => {
  const admin = { token: ADMIN_TOKEN, tokens: { alice: ALICE }, readOnlyTokens: { bob: '' } };
  const config = { role: 'edge', admin, redis: { keyPrefix: uniqueName('operators') } };
  node = await startGateway({ config, env: { WSGATEWAY_ADMIN_READ_ONLY_TOKENS_BOB: BOB } });
}, 60_000);
afterAll(() => node?.stop(), 30_000);

function lineOf(message: string, target: string): Readonly<Record<string, unknown>>[] {
  return node.logs.filter((line) => line['message'] === message && line['target'] === target);
}

describe('named tokens of the admin API', () => {
  it('tell in one line who changed what, from where', async () => {
    await call(node, 'POST /api/blocks/u1', { token: ALICE });
    await call(node, 'DELETE /api/blocks/u1');
    await call(node, 'DELETE /api/connections?user=u2', { token: ALICE });
    await call(node, 'POST /api/revocations', { token: ALICE, body: { jti: 'j1' } });
    await call(node, 'POST /api/publish', { token: ALICE, body: { topic: 'wss', user_id: 'u3', payload: {} } });
    await call(node, 'POST /api/publish', {
      token: ALICE,
      body: { topic: 'notifications', user_id: 'u3', payload: {} },
    });
    const by = (actor: string) => [expect.objectContaining({ level: 'info', actor, address: '127.0.0.1' })];
    expect(lineOf('user blocked by the admin api', 'u1')).toEqual(by('alice'));
    expect(lineOf('user unblocked by the admin api', 'u1')).toEqual(by('admin'));
    expect(lineOf('user disconnected by the admin api', 'u2')).toEqual(by('alice'));
    expect(lineOf('tokens revoked by the admin api', 'j1')).toEqual(by('alice'));
    expect(lineOf('message published by the admin api', 'notifications')).toEqual(by('alice'));
  });

  it('let those of readOnlyTokens look and change nothing', async () => {
    expect((await call(node, 'GET /api/nodes', { token: BOB })).status).toBe(200);
    for (const { method, path } of adminRoutes.filter((route) => route.method !== 'GET')) {
      const request = `${method} ${path.replace(/:\w+/, 'x') as `/${string}`}` as const;
      const { status, body } = await call(node, request, { token: BOB, body: method === 'POST' ? {} : undefined });
      expect([request, status, (body['error'] as { code: string }).code]).toEqual([request, 403, 'read_only']);
    }
    expect(JSON.stringify(node.logs)).not.toContain(BOB);
  });
});
