import { afterEach, describe, expect, it } from '@jest/globals';
import { EdgeUnderTest, type ClientUnderTest } from '../edge-under-test.js';

let node: EdgeUnderTest;
afterEach(() => node.stop());

describe('a process that holds as many connections as it may', () => {
  it('refuses more with 503 full, warns once, and admits again when one has gone', async () => {
    node = await new EdgeUnderTest({ options: { connectionsMax: 2 } }).start();
    const clients: ClientUnderTest[] = [await node.connect('/ws', 'ann'), await node.connect('/ws', 'bob')];
    for (let at = 0; at < 3; at++)
      expect(await node.handshake('/ws', 'cleo', '')).toMatchObject({
        status: 503,
        code: 'full',
        retryAfterSeconds: 10,
      });
    expect(node.edge.full).toBe(true);
    expect(node.logged.filter((line) => line.startsWith('warn full'))).toHaveLength(1);
    await node.publish('notifications', 'ann', 'goes on');
    expect((await clients[0]!.ask('ping')).status).toBe('ok');
    clients[0]!.close();
    expect(node.edge.full).toBe(false);
    await node.connect('/ws', 'cleo');
  });

  it('admits no more than that of handshakes that come at once', async () => {
    node = await new EdgeUnderTest({ options: { connectionsMax: 2 } }).start();
    const outcomes = await Promise.all(['ann', 'bob', 'cleo', 'dora'].map((user) => node.handshake('/ws', user, '')));
    expect(outcomes.map((outcome) => 'code' in outcome && outcome.code)).toEqual([false, false, 'full', 'full']);
  });

  it('is full, too, while it gets no descriptors', async () => {
    let hasRoom = false;
    node = await new EdgeUnderTest({ deps: { hasRoom: () => hasRoom } }).start();
    expect(await node.handshake('/ws', 'ann', '')).toMatchObject({ status: 503, code: 'full' });
    hasRoom = true;
    await node.connect('/ws', 'ann');
  });

  // Few connections said that it had room again, so each refusal that followed was warned of.
  it('warns once, too, while it gets no descriptors and has few connections', async () => {
    let hasRoom = false;
    node = await new EdgeUnderTest({ deps: { hasRoom: () => hasRoom }, options: { connectionsMax: 100 } }).start();
    const warnings = async (): Promise<number> => {
      for (const user of ['ann', 'bob', 'cleo']) await node.handshake('/ws', user, '');
      return node.logged.filter((line) => line.startsWith('warn full')).length;
    };
    expect(await warnings()).toBe(1);
    hasRoom = true;
    await node.connect('/ws', 'ann');
    hasRoom = false;
    expect(await warnings()).toBe(2);
  });
});
