import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor, WsClient } from '@ws-gateway/testkit';
import { ADMIN_TOKEN, call } from './admin/admin-client.js';
import { GatewayCluster, token } from './gateway-cluster.js';

let cluster: GatewayCluster;
beforeAll(async () => {
  cluster = await GatewayCluster.open({
    nodes: [{ config: { admin: { token: ADMIN_TOKEN } } }, { config: { admin: { token: ADMIN_TOKEN } } }],
  });
}, 60_000);
afterAll(() => cluster.close());

const seconds = (): number => Math.floor(Date.now() / 1000);

function open(at: number, user: string, claims: Readonly<Record<string, unknown>>): Promise<WsClient> {
  return WsClient.open(cluster.url(at, `token=${token(user, claims)}`));
}

function refusal(at: number, user: string, claims: Readonly<Record<string, unknown>>) {
  return WsClient.refused(cluster.url(at, `token=${token(user, claims)}`));
}

const REVOKED = { status: 401, body: { error: { code: 'token_invalid', message: 'this token was revoked' } } };

describe('a revoked token', () => {
  it('by its jti: its sockets close on every node within a second, and it opens none', async () => {
    const theirs = [await open(0, 'ann', { jti: 'lost' }), await open(1, 'ann', { jti: 'lost' })];
    const others = [await open(0, 'ann', { jti: 'kept' }), await open(1, 'bob', {})];
    const { status } = await call(cluster.nodes[0]!, 'POST /api/revocations', { body: { jti: 'lost' } });
    const answeredMs = performance.now();
    expect(status).toBe(200);
    for (const socket of theirs) expect(await socket.closed).toEqual({ code: 4504, reason: 'revoked' });
    expect(performance.now() - answeredMs).toBeLessThan(10_000);
    for (const at of [0, 1]) expect(await refusal(at, 'ann', { jti: 'lost' })).toMatchObject(REVOKED);
    for (const socket of others) {
      expect((await socket.request('ping')).status).toBe('ok');
      await socket.close();
    }
  });

  it('of a user up to a time: what was issued later is good', async () => {
    const old = await open(0, 'cid', { iat: seconds() - 100 });
    const fresh = await open(1, 'cid', { iat: seconds() });
    const body = { user: 'cid', issued_before: new Date((seconds() - 50) * 1000).toISOString() };
    await call(cluster.nodes[1]!, 'POST /api/revocations', { body });
    expect((await old.closed).code).toBe(4504);
    expect(await refusal(1, 'cid', { iat: seconds() - 51 })).toMatchObject(REVOKED);
    expect((await fresh.request('ping')).status).toBe('ok');
    // The token is refused by command, too, and the connection stays as it was.
    const revoked = token('cid', { iat: seconds() - 60 });
    expect(await fresh.request('authentication', { authToken: revoked, update: true })).toMatchObject({
      status: 'forbidden',
      payload: { code: 'token_invalid' },
    });
    const renewed = token('cid', { iat: seconds() });
    expect((await fresh.request('authentication', { authToken: renewed, update: true })).status).toBe('ok');
    await fresh.close();
  });

  it('is refused as a request that says neither or both, or a time that is over', async () => {
    for (const body of [{}, { jti: 'a', user: 'b' }, { jti: '' }, { user: 'a', issued_before: 'yesterday' }]) {
      expect((await call(cluster.nodes[0]!, 'POST /api/revocations', { body })).status).toBe(400);
    }
    const body = { jti: 'a', expires_at: '2020-01-01T00:00:00Z' };
    expect((await call(cluster.nodes[0]!, 'POST /api/revocations', { body })).status).toBe(400);
  });

  it('may come again when the revocation has run out', async () => {
    const expiresAt = new Date(Date.now() + 3000).toISOString();
    await call(cluster.nodes[0]!, 'POST /api/revocations', { body: { jti: 'short', expires_at: expiresAt } });
    expect((await refusal(0, 'dan', { jti: 'short' })).status).toBe(401);
    const socket = await waitFor(() => open(0, 'dan', { jti: 'short' }).catch(() => null));
    await socket.close();
  });
});
