import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { EdgeUnderTest, turns } from '../edge-under-test.js';

let node: EdgeUnderTest;

beforeEach(async () => {
  node = await new EdgeUnderTest().start();
});
afterEach(() => node.stop());

const counts = (): [connections: number, users: number] => [node.stats.activeConnections, node.stats.users];

describe('the numbers of connections and users', () => {
  // They were written down only when a socket opened or closed.
  it('do not keep a handshake that was refused while another socket opened', async () => {
    await node.engine.block('blocked', { reason: '', expiresAtMs: null });
    node.engine.admissions.close();
    const refused = node.handshake('/ws', 'blocked', '');
    await turns();
    const { passing, open } = node.engine.admissions;
    node.engine.admissions.passing = Promise.resolve();
    await node.connect('/ws', 'ann');
    open();
    await passing;
    expect(await refused).toMatchObject({ code: 'user_blocked' });
    expect(counts()).toEqual([1, 1]);
  });

  it('follow a guest who becomes a user', async () => {
    const client = await node.connect('/web');
    expect(counts()).toEqual([1, 0]);
    expect((await client.ask('authentication', { authToken: 'ann' })).status).toBe('ok');
    expect(counts()).toEqual([1, 1]);
    client.close();
    expect(counts()).toEqual([0, 0]);
  });
});
