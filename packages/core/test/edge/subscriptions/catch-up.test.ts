import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { EngineError } from '../../../src/index.js';
import { topicPolicy } from '../../policies.js';
import { EdgeUnderTest, turns, type ClientUnderTest } from '../edge-under-test.js';

/** A topic whose queue holds about five of the messages below. */
const TOPIC = topicPolicy('notifications', { queueBytes: 1500 });
const TEXT = 'x'.repeat(200);

let node: EdgeUnderTest;
let epoch: string;
let read: number;

beforeEach(async () => {
  node = await new EdgeUnderTest({ options: { topics: [TOPIC] } }).start();
  const retention = TOPIC.retention!;
  const [top] = await node.engine.positions([{ stream: 'notifications/u/ann', retention, user: 'ann' }]);
  epoch = top!.epoch;
  for (let at = 1; at <= 40; at++) await publish(at);
  read = 0;
  const page = node.engine.read.bind(node.engine);
  node.engine.read = async (...args) => {
    const answer = await page(...args);
    read += answer.messages.reduce((bytes, { frame }) => bytes + frame.length, 0);
    return answer;
  };
});
afterEach(() => node.stop());

const publish = (at: number) => node.publish('notifications', 'ann', `${TEXT}${at}`);
const resume = (offset = 0) =>
  node.connect('/ws', 'ann', `topics=notifications&recover=notifications:${epoch}:${offset}`);
const numbers = (client: ClientUnderTest) => client.updates.map((text) => Number((text as string).slice(TEXT.length)));
const upTo = (last: number) => Array.from({ length: last }, (_, at) => at + 1);

// All that the history held was read at once and given to the transport, however slow the client was.
describe('a replay that is longer than the queue of its topic', () => {
  it('comes whole, in order, before what is live, and is announced as long as it is', async () => {
    const client = await resume();
    await publish(41);
    await turns(100);
    await publish(42);
    expect(numbers(client)).toEqual(upTo(42));
    const [row] = client.frames[0]!.payload['topics'] as { offset: number; recovered: boolean; replayed: number }[];
    expect(row).toMatchObject({ offset: 40, recovered: true, replayed: 40 });
  });

  it('is read no further than a page when the client does not read, and goes on when it does', async () => {
    node.clientsTake = 300;
    const client = await resume();
    await turns(100);
    const page = read;
    expect(page).toBeLessThan(2 * TOPIC.queueBytes);
    for (let at = 41; at <= 60; at++) await publish(at);
    expect([read, client.ended]).toEqual([page, null]);
    while (client.pending > 0 || numbers(client).length < 60) {
      client.drain();
      await turns(5);
    }
    expect(numbers(client)).toEqual(upTo(60));
  });

  it('leaves nothing out of what comes while a page is read, also when it is more than can be held', async () => {
    const client = await resume();
    node.engine.reads.close();
    await turns();
    for (let at = 41; at <= 60; at++) await publish(at);
    node.engine.reads.open();
    await turns(200);
    await publish(61);
    expect([numbers(client), client.ended]).toEqual([upTo(61), null]);
  });

  it('ends with the subscription that is left, and with the connection', async () => {
    node.clientsTake = 300;
    const [left, gone] = [await resume(), await resume()];
    await turns();
    left.send('unsubscribe', { topics: ['notifications'] });
    gone.close();
    const before = read;
    left.drain();
    await turns(50);
    expect(read).toBe(before);
    expect(node.logged).toEqual([]);
  });

  it.each<[string, () => void]>([
    ['the engine goes away', () => (node.engine.read = () => Promise.reject(new EngineError('unavailable', 'gone')))],
    [
      'the history has lost what follows',
      () => {
        const page = node.engine.read.bind(node.engine);
        node.engine.read = async (...args) => ({ ...(await page(...args)), recovered: false });
      },
    ],
    [
      'the history says that there is more, and gives nothing',
      () => {
        const page = node.engine.read.bind(node.engine);
        node.engine.read = async (...args) => ({ ...(await page(...args)), messages: [] });
      },
    ],
  ])('sends the client back for it when %s', async (_, act) => {
    node.clientsTake = 300;
    const client = await resume();
    await turns();
    act();
    for (let at = 0; at < 20 && client.ended === null; at++) {
      client.drain();
      await turns(5);
    }
    expect(client.ended?.code).toBe(4003);
  });
});

// What an open socket had missed was read whole, however much that was and however slowly the client read.
describe('what open sockets have missed when the engine lost its rows', () => {
  const loss = { reason: 'test', concerns: () => true, missed: () => true };

  it('comes page by page where it is longer than the queue of its topic, before what is live', async () => {
    const client = await resume(38);
    await turns();
    const largest: number[] = [];
    const page = node.engine.read.bind(node.engine);
    node.engine.read = async (...args) => {
      const answer = await page(...args);
      largest.push(answer.messages.reduce((bytes, { frame }) => bytes + frame.length, 0));
      return answer;
    };
    const deliver = node.edge.deliver.bind(node.edge);
    node.edge.deliver = () => undefined;
    for (let at = 41; at <= 70; at++) await publish(at);
    node.edge.deliver = deliver;
    const repaired = node.edge.rebuild(loss);
    await publish(71);
    await repaired;
    await turns(200);
    await publish(72);
    expect(numbers(client)).toEqual(Array.from({ length: 34 }, (_, at) => 39 + at));
    expect(Math.max(...largest)).toBeLessThan(2 * TOPIC.queueBytes);
    expect([largest.length > 3, client.ended, node.logged]).toEqual([true, null, []]);
  });
});

// The position of the own message hid what others had said before it.
it('a message of the own connection to a room that it is still entering does not hide those before it', async () => {
  const [client, other] = [await node.connect('/ws', 'ann'), await node.connect('/ws', 'bob')];
  node.engine.reads.close();
  const entered = client.send('enter', { room: 'red' });
  await turns();
  await other.ask('send', { to: { room: 'red' }, payload: 'first' });
  await client.ask('send', { to: { room: 'red' }, payload: 'own' });
  await other.ask('send', { to: { room: 'red' }, payload: 'last' });
  node.engine.reads.open();
  await client.answer(entered);
  await turns();
  expect(client.updates).toEqual(['first', 'last']);
});
