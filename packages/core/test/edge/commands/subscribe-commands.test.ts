import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { EngineError } from '../../../src/index.js';
import { startWithAnn, turns, type Answer, type ClientUnderTest, type EdgeUnderTest } from '../edge-under-test.js';

let node: EdgeUnderTest;
let client: ClientUnderTest;

beforeEach(async () => {
  ({ node, client } = await startWithAnn());
});
afterEach(() => node.stop());

const topics = ['notifications'];
const positionOf = ({ payload }: Answer) => {
  const [row] = (payload['topics'] ?? [payload]) as { epoch: string; offset: number }[];
  return { epoch: row!.epoch, offset: row!.offset };
};

// The second was told the position of a subscription whose history was still being read: epoch '' and offset 0, which a
// client kept and was refused for ever with.
describe('a second command for a place that the first one is still being answered', () => {
  it.each([
    ['subscribe', { topics }, { topics: [{ topic: 'notifications', epoch: 'x', offset: 1 }] }],
    ['enter', { room: 'red' }, { room: 'red', epoch: 'x', offset: 1 }],
  ])(
    'is answered with the finished position, behind the first one and its replay: %s',
    async (command, bare, positioned) => {
      node.engine.reads.close();
      const rids = [client.send(command, positioned), client.send(command, bare), client.send(command, bare)];
      await turns();
      expect(client.frames.filter(({ rid }) => rid > 0)).toEqual([]);
      node.engine.reads.open();
      const answers = await Promise.all(rids.map((rid) => client.answer(rid)));
      expect(answers.map(({ status }) => status)).toEqual(['ok', 'ok', 'ok']);
      expect(positionOf(answers[1]!)).toEqual(positionOf(answers[0]!));
      expect(positionOf(answers[2]!)).toEqual(positionOf(answers[0]!));
      expect(client.texts.join('')).not.toContain('"epoch":""');
      expect(client.frames.findIndex(({ rid }) => rid === rids[0])).toBeLessThan(
        client.frames.findIndex(({ rid }) => rid === rids[1]),
      );
      if (command === 'subscribe') {
        await node.publish('notifications', 'ann', 'three');
        expect(client.updates).toEqual(['one', 'two', 'three']);
        const order = client.frames.slice(1).map(({ rid, payload }) => (rid > 0 ? rid : payload));
        expect(order).toEqual([rids[0], 'one', 'two', rids[1], rids[2], 'three']);
      }
    },
  );

  it('fails when the first one fails, and leaves nothing behind', async () => {
    const { positions } = node.engine;
    node.engine.positions = () => Promise.reject(new EngineError('unavailable', 'gone'));
    const rids = [client.send('subscribe', { topics }), client.send('subscribe', { topics })];
    for (const rid of rids) expect((await client.answer(rid)).payload).toMatchObject({ code: 'unavailable' });
    node.engine.positions = positions;
    const answer = await client.ask('subscribe', { topics });
    expect(positionOf(answer).offset).toBe(2);
    await node.publish('notifications', 'ann', 'three');
    expect(client.updates).toEqual(['three']);
  });

  it('with topics of its own leaves those when the other one fails', async () => {
    const { positions } = node.engine;
    let calls = 0;
    node.engine.positions = (streams) => {
      if (++calls === 1) return Promise.reject(new EngineError('unavailable', 'gone'));
      return positions.call(node.engine, streams);
    };
    const first = client.send('subscribe', { topics });
    const second = client.send('subscribe', { topics: ['news', 'notifications'] });
    expect([(await client.answer(first)).status, (await client.answer(second)).status]).toEqual(['error', 'error']);
    expect((await client.ask('unsubscribe', { topics: ['news', 'notifications'] })).payload).toEqual({ topics: [] });
  });

  it('is answered when the place was left meanwhile', async () => {
    node.engine.reads.close();
    const rids = [client.send('subscribe', { topics }), client.send('subscribe', { topics })];
    await client.ask('unsubscribe', { topics });
    node.engine.reads.open();
    expect((await client.answer(rids[1]!)).payload).toMatchObject({ code: 'unavailable' });
    await node.publish('notifications', 'ann', 'three');
    expect(client.updates).toEqual([]);
  });
});

// The position was not looked at: neither a replay came, nor a word about what is missing.
describe('a command with a position for a place that the connection has', () => {
  const at = (answer: Answer, offset: number) => ({ ...positionOf(answer), offset });

  it('has what follows the position replayed before what comes live, each once, and is told whether all of it', async () => {
    const first = await client.ask('subscribe', { topics });
    const again = await client.ask('subscribe', { topics: [{ topic: 'notifications', ...at(first, 1) }] });
    expect(again.payload['topics']).toEqual([
      expect.objectContaining({
        offset: 2,
        recovered: true,
        replayed: 1,
        public: expect.not.objectContaining({ recovered: true }),
      }),
    ]);
    await node.publish('notifications', 'ann', 'three');
    expect(client.updates).toEqual(['two', 'three']);
    const lost = await client.ask('subscribe', { topics: [{ topic: 'notifications', epoch: 'x', offset: 1 }] });
    expect(lost.payload['topics']).toMatchObject([{ offset: 3, recovered: false, replayed: 3 }]);
    expect(client.updates).toEqual(['two', 'three', 'one', 'two', 'three']);
    expect((await client.ask('unsubscribe', { topics })).payload).toEqual({ topics });
  });

  it('leaves its public stream as it is', async () => {
    const first = await client.ask('subscribe', { topics });
    const rid = client.send('subscribe', { topics: [{ topic: 'notifications', ...at(first, 2) }] });
    await node.publish('notifications', null, 'to all');
    await client.answer(rid);
    expect(client.updates).toEqual(['to all']);
  });

  it('is a bad request when the position of a room is malformed, inside as outside', async () => {
    await client.ask('enter', { room: 'red' });
    for (const room of ['red', 'blue']) {
      const answer = await client.ask('enter', { room, epoch: 'x' });
      expect(answer).toMatchObject({ status: 'error', payload: { code: 'bad_request' } });
    }
  });

  it('enters a room anew', async () => {
    await client.ask('enter', { room: 'red' });
    const answer = await client.ask('enter', { room: 'red', epoch: 'x', offset: 1 });
    expect(answer.payload).toMatchObject({ room: 'red', recovered: false });
    expect((await client.ask('leave', { room: 'red' })).status).toBe('ok');
  });
});

// The answer told of a place that the new token had taken away before.
it('a subscribe that is being answered fails when a new token of the same user does not allow it', async () => {
  node.engine.reads.close();
  const position = { topic: 'notifications', epoch: 'x', offset: 1 };
  const rid = client.send('subscribe', { topics: [position, 'news'] });
  await client.ask('authentication', { authToken: 'ann {"topics":["news"]}', update: true });
  node.engine.reads.open();
  expect(await client.answer(rid)).toMatchObject({ status: 'forbidden', payload: { code: 'topic_forbidden' } });
  expect((await client.ask('unsubscribe', { topics: ['news'] })).payload).toEqual({ topics: [] });
});
