import { afterEach, describe, expect, it, test } from '@jest/globals';
import { closeCodes } from '../../../src/index.js';
import { topicPolicy } from '../../policies.js';
import { EdgeUnderTest, turns, unlimited, type ClientUnderTest } from '../edge-under-test.js';

let node: EdgeUnderTest;
afterEach(() => node.stop());

async function start(limits: Partial<typeof unlimited>): Promise<EdgeUnderTest> {
  node = await new EdgeUnderTest({ options: { limits: { ...unlimited, ...limits } } }).start();
  return node;
}

describe('requests beyond the limit', () => {
  // Each was parsed before it was counted: 64 kB of nested lists cost 2.4 ms, so one client had the loop to itself.
  it('are answered without being parsed, by their number where it comes first, and are not carried out', async () => {
    const client = await (await start({ requestsPerSecond: 1 })).connect('/ws', 'ann');
    client.send('ping');
    client.write('{"rid": 7, "command": "enter", this is no JSON');
    client.write('{"command":"ping","rid":8}');
    const surplus = client.frames.slice(-2).map(({ rid, event, payload }) => [rid, event, payload['code']]);
    expect(surplus).toEqual([
      [7, 'enter', 'rate_limited'],
      [-1, 'error', 'rate_limited'],
    ]);
    expect(client.ended).toBeNull();
  });

  it('are counted in bytes, too, and end the connection at ten times as many', async () => {
    const client = await (await start({ requestBytesPerSecond: 1000 })).connect('/ws', 'ann');
    const filler = 'x'.repeat(800);
    expect((await client.ask('ping', { filler })).status).toBe('ok');
    expect((await client.ask('ping', { filler })).payload).toMatchObject({ code: 'rate_limited' });
    for (let at = 0; at < 12; at++) client.send('ping', { filler });
    expect(client.ended?.code).toBe(closeCodes.rate_limited);
  });
});

test('a guest whose send is refused is told to log in, and nothing of a configuration that allows it', async () => {
  const guest = await (await start({})).connect('/web');
  const { status, payload } = await guest.ask('send', { to: { user: 'ann' }, payload: 'x' });
  const message = 'send: a guest cannot send: log in first';
  expect([status, payload]).toEqual(['forbidden', { code: 'not_allowed', message }]);
});

describe('what one client causes for others', () => {
  async function membersOf(hub: string, count: number): Promise<ClientUnderTest[]> {
    return Promise.all(Array.from({ length: count }, (_, at) => node.connect(`/websocket/${hub}`, `member-${at}`)));
  }

  it('is limited by its messages: the surplus ones are answered rate_limited and reach nobody', async () => {
    await start({ sendsPerSecond: 5 });
    const [listener, sender] = (await membersOf('main', 2)) as [ClientUnderTest, ClientUnderTest];
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, at) => sender.ask('send', { to: { hub: 'main' }, payload: at })),
    );
    await turns();
    expect(answers.map(({ status }) => status)).toEqual([...Array(5).fill('ok'), ...Array(3).fill('error')]);
    expect(answers[7]!.payload).toMatchObject({ code: 'rate_limited' });
    expect(listener.updates).toEqual([0, 1, 2, 3, 4]);
  });

  it('is weighed by how many it reaches', async () => {
    await start({ sendsPerSecond: 5 });
    const [sender] = await membersOf('main', 250);
    const send = (to: object) => sender!.ask('send', { to, payload: 'x' });
    const toAll = [await send({ hub: 'main' }), await send({ hub: 'main' }), await send({ hub: 'main' })];
    expect(toAll.map(({ status }) => status)).toEqual(['ok', 'ok', 'error']);
  });

  it('is limited by its questions about rooms, and equal ones are asked once', async () => {
    await start({ surveysPerSecond: 2 });
    const clients = await Promise.all(['ann', 'bob'].map((user) => node.connect('/ws', user)));
    for (const client of clients) await client.ask('enter', { room: 'red' });
    let asked = 0;
    const control = node.engine.control.bind(node.engine);
    node.engine.control = (target, command) => {
      if (command.command === 'ask') asked++;
      return control(target, command);
    };
    const rids = clients.flatMap((client) =>
      [1, 2, 3].map(() => [client, client.send('presence', { room: 'red' })] as const),
    );
    const answers = await Promise.all(rids.map(([client, rid]) => client.answer(rid)));
    expect(answers.map(({ status }) => status)).toEqual(['ok', 'ok', 'error', 'ok', 'ok', 'error']);
    expect(answers[0]!.payload).toEqual({ users: ['ann', 'bob'], connections: 2 });
    expect(asked).toBe(1);
  });
});

describe('an answer of history', () => {
  // A number of messages alone bounded it: 60 bytes of a request made the node build and hold 25 MB.
  it('is no larger than its limit, says that there is more, and is gone on with behind its last message', async () => {
    await start({ historyBytes: 6000 });
    const text = 'x'.repeat(500);
    for (let at = 1; at <= 30; at++) await node.publish('notifications', 'ann', `${text}${at}`);
    const client = await node.connect('/ws', 'ann');
    const got: number[] = [];
    let after: object | undefined;
    for (let more = true; more;) {
      const { payload } = await client.ask('history', { topic: 'notifications', ...(after && { after }) });
      expect(client.texts.at(-1)!.length).toBeLessThanOrEqual(6000);
      const messages = payload['messages'] as { epoch: string; offset: number }[];
      got.push(...messages.map(({ offset }) => offset));
      const { epoch, offset } = messages.at(-1)!;
      after = { epoch, offset };
      more = payload['more'] === true;
    }
    expect(got).toEqual(Array.from({ length: 30 }, (_, at) => at + 1));
    const few = await client.ask('history', { topic: 'notifications', limit: 2 });
    expect(few.payload).not.toHaveProperty('more');
  });

  // 60 bytes of a request brought a megabyte, fifty times a second.
  it('is one of four full ones in a second for a connection, and waits for its time', async () => {
    await start({ historyBytes: 6000 });
    const text = 'x'.repeat(500);
    for (let at = 1; at <= 10; at++) await node.publish('notifications', 'ann', `${text}${at}`);
    const [client, other] = [await node.connect('/ws', 'ann'), await node.connect('/ws', 'ann')];
    const beganMs = performance.now();
    const rids = Array.from({ length: 40 }, () => client.send('history', { topic: 'notifications' }));
    expect((await other.ask('history', { topic: 'notifications' })).status).toBe('ok');
    const statuses = rids.map((rid) => client.frames.find((frame) => frame.rid === rid)?.status);
    expect(statuses.filter((status) => status === 'error')).toHaveLength(8);
    expect(statuses.filter((status) => status === 'ok').length).toBeLessThan(10);
    while (client.frames.filter(({ rid }) => rid > 0).length < 22) await turns();
    expect(performance.now() - beganMs).toBeGreaterThan(500);
    client.close();
  });

  // Each of them was read to the end of the line, at `historyBytes` each, for nobody.
  it('is not read for a connection that has ended', async () => {
    await start({});
    await node.publish('notifications', 'ann', 'one');
    const client = await node.connect('/ws', 'ann');
    let reads = 0;
    const read = node.engine.read.bind(node.engine);
    node.engine.read = (...args) => {
      reads++;
      return read(...args);
    };
    node.engine.reads.close();
    for (let at = 0; at < 5; at++) client.send('history', { topic: 'notifications' });
    client.send('subscribe', { topics: [{ topic: 'notifications', epoch: 'e', offset: 0 }] });
    client.send('enter', { room: 'red', epoch: 'e', offset: 0 });
    await turns();
    client.close();
    node.engine.reads.open();
    await turns(50);
    expect([reads, node.logged]).toEqual([1, []]);
  });

  it('is read for one request of a connection at a time', async () => {
    await start({});
    await node.publish('notifications', 'ann', 'one');
    const client = await node.connect('/ws', 'ann');
    let [reading, most] = [0, 0];
    const read = node.engine.read.bind(node.engine);
    node.engine.read = async (...args) => {
      most = Math.max(most, ++reading);
      await turns(2);
      reading--;
      return read(...args);
    };
    const rids = Array.from({ length: 5 }, () => client.send('history', { topic: 'notifications' }));
    for (const rid of rids) expect((await client.answer(rid)).status).toBe('ok');
    expect(most).toBe(1);
  });
});

describe('keys of a topic', () => {
  // Entering and leaving 200 of them fifty times a second was ten thousand watches a second in the store.
  it('are entered as many a second as a connection may be in', async () => {
    const prices = topicPolicy('prices', { keys: { perConnection: 20, claim: null } });
    node = await new EdgeUnderTest({ options: { topics: [prices] } }).start();
    const [client, other] = [await node.connect('/ws', 'ann'), await node.connect('/ws', 'bob')];
    const topics = [{ topic: 'prices', keys: Array.from({ length: 20 }, (_, at) => `k${at}`) }];
    let good = 0;
    for (let round = 0; round < 10; round++) {
      const { status, payload } = await client.ask('subscribe', { topics });
      if (status === 'ok') good++;
      else expect(payload['code']).toBe('rate_limited');
      expect((await client.ask('unsubscribe', { topics })).status).toBe('ok');
    }
    expect(good).toBeLessThan(4);
    expect((await other.ask('subscribe', { topics })).status).toBe('ok');
  });
});
