import { expect } from '@jest/globals';
import type { NodeCommand, PublishBatch, PublishItem, SourceMark } from '@ws-gateway/core';
import {
  admit,
  allItem,
  channelItem,
  counts,
  ordered,
  sourced,
  topic,
  unsourced,
  userItem,
  type ConformanceTests,
} from './fixture.js';

const USERS = ['two words', 'quo"te\'s\\', '🙂🇺🇦é', '{0}', '{}', 'a:b', '%d', '*', '~', '日本語'];

export const routing: ConformanceTests = {
  'routes to the nodes of the user only': async (fixture) => {
    const node = await fixture.node();
    await admit(node, 'u1', 'c1');
    const result = await node.engine.publish(unsourced(userItem('u1', 'for u1'), userItem('u2', 'for u2')));
    expect(counts(result)).toEqual([1, 1, 0]);
    expect(result.items!.map(({ nodes }) => nodes)).toEqual([1, 0]);
    await fixture.settle(node);
    expect(node.inbox.texts()).toEqual(['for u1']);
    expect(node.inbox.messages[0]).toMatchObject({ stream: `${topic}/u/u1`, offset: 1, recordTimeMs: 1234 });
    const { epoch } = node.inbox.messages[0]!;
    expect(JSON.parse(node.inbox.messages[0]!.frame)).toEqual({
      text: 'for u1',
      stream: `${topic}/u/u1`,
      epoch,
      offset: 1,
    });
  },

  'gives a message without history no position and leaves its frame as it is': async (fixture) => {
    const node = await fixture.node();
    await admit(node, 'u1', 'c1');
    const result = await node.engine.publish(unsourced(userItem('u1', 'plain', null)));
    expect(result.items).toEqual([{ nodes: 1, position: null }]);
    await node.inbox.waitForTexts(1);
    const position = { stream: `${topic}/u/u1`, epoch: '', offset: 0 };
    const noRecord = { source: 0, sourceOffset: 0 };
    expect(node.inbox.messages).toEqual([
      { ...position, ...noRecord, recordTimeMs: 1234, text: 'plain', frame: 'plain', except: '', seen: false },
    ]);
  },

  'says which connection must not get a live message, and keeps the message in its history': async (fixture) => {
    const { engine, inbox } = await fixture.node();
    await engine.admit({ connection: 'c1', user: 'u1', endpoint: '/ws', sinceMs: 1, streams: [], sessions: null });
    await engine.watch(['room/r1']);
    const items = [
      { ...userItem('u1', 'a'), except: 'c1' },
      userItem('u1', 'b'),
      { ...userItem('u1', 'c', null), except: 'c2' },
      { ...channelItem('room/r1', 'd'), except: 'c1' },
      { ...channelItem('room/r1', 'e', ordered), except: 'c3' },
    ] as PublishItem[];
    await engine.publish(unsourced(...items));
    await inbox.waitForTexts(5);
    const excepts = Object.fromEntries(inbox.messages.map(({ text, except }) => [text, except]));
    expect(excepts).toEqual({ a: 'c1', b: '', c: 'c2', d: 'c1', e: 'c3' });
    expect(inbox.messages.find(({ text }) => text === 'e')).toMatchObject({ stream: 'room/r1', offset: 1 });
    const page = await engine.read({ stream: `${topic}/u/u1`, retention: ordered, user: 'u1' }, null, 10);
    expect(page.messages.map(({ offset, except }) => [offset, except])).toEqual([
      [1, ''],
      [2, ''],
    ]);
    expect(page.recovered).toBe(true);
  },

  'routes a channel while it is watched': async (fixture) => {
    const node = await fixture.node();
    const publish = (text: string) => node.engine.publish(unsourced(channelItem('room/r1', text)));
    expect(counts(await publish('before'))).toEqual([0, 1, 0]);
    await node.engine.watch(['room/r1']);
    expect(counts(await publish('during'))).toEqual([1, 0, 0]);
    expect(counts(await node.engine.publish(unsourced(channelItem('room/r2', 'elsewhere'))))).toEqual([0, 1, 0]);
    await node.engine.unwatch(['room/r1']);
    expect(counts(await publish('after'))).toEqual([0, 1, 0]);
    await fixture.settle(node);
    expect(node.inbox.texts()).toEqual(['during']);
  },

  'hands "all" to every node, once': async (fixture) => {
    const node = await fixture.node();
    const result = await node.engine.publish(unsourced(allItem('to all')));
    expect(result.items).toEqual([{ nodes: 1, position: null }]);
    await node.inbox.waitFor(() => node.inbox.broadcasts.length > 0, 'a broadcast');
    await fixture.settle(node);
    expect(node.inbox.broadcasts).toEqual(['to all']);
  },

  'ends each batch and never calls the inbox from inside a call': async (fixture) => {
    const node = await fixture.node();
    await admit(node, 'u1', 'c1');
    node.inbox.forbidden = true;
    const publishing = node.engine.publish(unsourced(userItem('u1', 'a'), userItem('u1', 'b')));
    node.inbox.forbidden = false;
    await publishing;
    await node.inbox.waitFor(() => node.inbox.batches > 0, 'the end of a batch');
    expect(node.inbox.events).toEqual(['message:a', 'message:b', 'end']);
  },

  'serves user ids with spaces, quotes, braces, emoji and patterns': async (fixture) => {
    const node = await fixture.node();
    for (const [i, user] of USERS.entries()) {
      await admit(node, user, `c${i}`);
      await node.engine.publish(unsourced(userItem(user, 'hello'), userItem(user, `é ${user}`)));
      expect(await node.inbox.waitForTexts(2)).toEqual(['hello', `é ${user}`]);
      expect(node.inbox.messages[1]).toMatchObject({ stream: `${topic}/u/${user}`, offset: 2 });
      expect(await node.engine.presence(user)).toEqual([
        { connection: `c${i}`, node: 'node-0', endpoint: '/ws', sinceMs: 1000 },
      ]);
      node.inbox.messages = [];
    }
  },

  'sends commands to the nodes that watch a channel, whatever they say': async (fixture) => {
    const { engine, inbox } = await fixture.node();
    await engine.watch(['room/r1']);
    const commands: NodeCommand[] = [
      { command: 'close', user: 'u1', endpoint: '/chat é', close: { code: 4504, reason: 'revoked' } },
      { command: 'ask', id: 'q1', from: 'node-0', question: { about: 'members', stream: 'room/r1' } },
      { command: 'ask', id: 'q2', from: 'node-0', question: { about: 'subscriptions' } },
      { command: 'report', id: 'q1', answer: { users: ['é"'], connections: 1, empty: [], nothing: null } },
    ];
    for (const command of commands) {
      expect(await engine.control({ kind: 'channel', stream: 'room/r1' }, command)).toBe(1);
      expect(await engine.control({ kind: 'channel', stream: 'room/r2' }, command)).toBe(0);
    }
    await engine.unwatch(['room/r1']);
    expect(await engine.control({ kind: 'channel', stream: 'room/r1' }, { command: 'drain' })).toBe(0);
    await fixture.settle({ engine, inbox });
    expect(inbox.commands).toEqual(commands);
  },

  'sends commands to the node that is named, to those of a user and to all': async (fixture) => {
    const { engine, inbox } = await fixture.node();
    await engine.admit({ connection: 'c1', user: 'u1', endpoint: '/ws', sinceMs: 1, streams: [], sessions: null });
    const command = { command: 'close', user: 'u1', close: { code: 4504, reason: 'revoked' } } as const;
    expect(await engine.control({ kind: 'user', user: 'u1' }, command)).toBe(1);
    expect(await engine.control({ kind: 'user', user: 'nobody' }, command)).toBe(0);
    expect(await engine.control({ kind: 'node', node: 'node-0' }, { command: 'drain' })).toBe(1);
    expect(await engine.control({ kind: 'node', node: 'node' }, { command: 'drain' })).toBe(0);
    expect(await engine.control({ kind: 'all' }, { command: 'drain' })).toBe(1);
    await inbox.waitFor(() => inbox.commands.length === 3, 'three commands');
    // There is no order between partitions.
    expect(inbox.commands).toContainEqual(command);
    expect(inbox.commands.filter((one) => one.command === 'drain')).toHaveLength(2);
  },

  'lists its nodes with what they report': async (fixture) => {
    const { engine } = await fixture.node('n-1');
    const [row] = await engine.nodes();
    expect(row).toMatchObject({ node: 'n-1', connections: 0, draining: false });
    expect(engine.healthy).toBe(true);
  },

  'refuses calls when it has been stopped': async (fixture) => {
    const node = await fixture.node();
    await node.engine.stop();
    await expect(node.engine.publish(unsourced(allItem('x')))).rejects.toMatchObject({ code: 'stopped' });
    await expect(admit(node, 'u1', 'c1')).rejects.toMatchObject({ code: 'stopped' });
    await expect(node.engine.release([{ connection: 'c1', user: 'u1' }])).resolves.toBeUndefined();
    expect(node.engine.healthy).toBe(false);
  },
};

export const sources: ConformanceTests = {
  'applies a record once, however often it is published': async (fixture) => {
    const node = await fixture.node();
    await admit(node, 'u1', 'c1');
    const batch = sourced(-1, [
      [5, userItem('u1', 'a')],
      [7, userItem('u1', 'b')],
    ]);
    expect(counts(await node.engine.publish(batch))).toEqual([2, 0, 0]);
    expect(counts(await node.engine.publish(batch))).toEqual([0, 0, 2]);
    const overlapping = sourced(-1, [
      [7, userItem('u1', 'b')],
      [8, userItem('u1', 'c')],
    ]);
    expect(counts(await node.engine.publish(overlapping))).toEqual([1, 0, 1]);
    await fixture.settle(node);
    expect(node.inbox.texts()).toEqual(['a', 'b', 'c']);
    expect(node.inbox.messages.map(({ offset }) => offset)).toEqual([1, 2, 3]);
  },

  'tells of each item on demand where it went, unless some of them were applied before': async (fixture) => {
    const node = await fixture.node();
    await admit(node, 'u1', 'c1');
    const batch = sourced(-1, [
      [5, userItem('u1', 'a')],
      [7, userItem('u2', 'b')],
    ]);
    const { items } = await node.engine.publish({ ...batch, perItem: true });
    expect(items).toMatchObject([
      { nodes: 1, position: { offset: 1 } },
      { nodes: 0, position: { offset: 1 } },
    ]);
    expect(await node.engine.publish({ ...batch, perItem: true })).not.toHaveProperty('items');
  },

  'applies all items of one record, and covers offsets without items': async (fixture) => {
    const node = await fixture.node();
    await admit(node, 'u1', 'c1');
    await admit(node, 'u2', 'c2');
    const both = sourced(
      -1,
      [
        [3, userItem('u1', 'x')],
        [3, userItem('u2', 'x')],
      ],
      9,
    );
    expect(counts(await node.engine.publish(both))).toEqual([2, 0, 0]);
    const covered = sourced(-1, [
      [9, userItem('u1', 'y')],
      [9, userItem('u2', 'y')],
    ]);
    expect(counts(await node.engine.publish(covered))).toEqual([0, 0, 2]);
    expect(counts(await node.engine.publish(sourced(9, [[10, userItem('u1', 'z')]])))).toEqual([1, 0, 0]);
  },

  'refuses a call that follows one which was not applied': async (fixture) => {
    const node = await fixture.node();
    const gap = node.engine.publish(sourced(41, [[42, userItem('u1', 'x')]]));
    await expect(gap).rejects.toMatchObject({ code: 'source_gap', retryable: true });
    expect(
      (await node.engine.positions([{ stream: `${topic}/u/u1`, retention: ordered, user: 'u1' }]))[0]!.offset,
    ).toBe(0);
    expect(counts(await node.engine.publish(sourced(-1, [[42, userItem('u1', 'x')]])))).toEqual([0, 1, 0]);
  },

  'refuses a call in flight behind one that is refused': async (fixture) => {
    const { engine } = await fixture.node();
    const calls = [
      engine.publish(sourced(41, [[42, userItem('u1', 'x')]])),
      engine.publish(sourced(42, [[43, userItem('u2', 'y')]])),
    ];
    const results = await Promise.allSettled(calls);
    expect(results.map((result) => result.status === 'rejected' && result.reason.code)).toEqual([
      'source_gap',
      'source_gap',
    ]);
  },

  'takes a call behind calls for other users': async (fixture) => {
    const { engine } = await fixture.node();
    for (let offset = 0; offset < 20; offset++) {
      const result = await engine.publish(sourced(offset - 1, [[offset, userItem(`u${offset % 7}`, 'x')]]));
      expect(counts(result)).toEqual([0, 1, 0]);
    }
  },

  'takes a call behind a batch without items': async (fixture) => {
    const node = await fixture.node();
    await node.engine.publish(sourced(-1, [], 3));
    await node.engine.publish(sourced(3, [[4, userItem('u1', 'x')]]));
    await node.engine.publish(sourced(4, [], 6));
    expect(counts(await node.engine.publish(sourced(6, [[7, userItem('u1', 'y')]])))).toEqual([0, 1, 0]);
  },

  'keeps the order of publishes in flight': async (fixture) => {
    const node = await fixture.node();
    const users = ['u1', 'u2', 'u3', 'u4'];
    for (const user of users) await admit(node, user, `c-${user}`);
    const calls = [];
    for (let call = 0; call < 50; call++) {
      const items = users.flatMap((user, i) => [[call * 4 + i, userItem(user, String(call))] as const]);
      calls.push(node.engine.publish(sourced(call * 4 - 1, items)));
    }
    await Promise.all(calls);
    await node.inbox.waitForTexts(200);
    for (const user of users) {
      const own = node.inbox.messages.filter(({ stream }) => stream.endsWith(`/${user}`));
      expect(own.map(({ text }) => text)).toEqual(Array.from({ length: 50 }, (_, call) => String(call)));
      expect(own.map(({ offset }) => offset)).toEqual(Array.from({ length: 50 }, (_, call) => call + 1));
    }
  },

  'applies a record for very many users once, also when it is repeated': async (fixture) => {
    const node = await fixture.node();
    const users = Array.from({ length: 700 }, (_, i) => `user-${i}`);
    const batch = sourced(-1, [
      [1, userItem('u0', 'first')],
      ...users.map((user) => [2, userItem(user, 'x')] as const),
    ]);
    expect(counts(await node.engine.publish(batch))).toEqual([0, 701, 0]);
    expect(counts(await node.engine.publish(batch))).toEqual([0, 0, 701]);
    expect(counts(await node.engine.publish(sourced(2, [[3, userItem('u0', 'next')]])))).toEqual([0, 1, 0]);
  },

  'remembers how far a source partition was applied, and the mark of its log': async (fixture) => {
    const { engine } = await fixture.node();
    await engine.publish(marked(-1, [[99, userItem('u1', 'a')]]));
    await engine.publish(marked(99, [[100, userItem('u2', 'b')]]));
    const rows = await engine.sourcePositions(topic, 0);
    const newest = rows.reduce((a, b) => (b.offset > a.offset ? b : a));
    expect([newest.offset, newest.mark, newest.confirmed]).toEqual([100, markOf(100), 100]);
    expect((await engine.sourcePositions('another', 0)).map(({ offset, mark }) => [offset, mark])).toEqual(
      rows.map(() => [-1, null]),
    );
  },

  'forgets the position in a log that is another one now, and applies the new log from its first record': async (
    fixture,
  ) => {
    const { engine } = await fixture.node();
    await engine.publish(sourced(-1, [[100, userItem('u1', 'old')]]));
    expect(counts(await engine.publish(sourced(-1, [[3, userItem('u1', 'new')]])))).toEqual([0, 0, 1]);
    const seen = await engine.sourcePositions(topic, 0);
    expect(await engine.claimSource(topic, 0, { seen, forget: true })).toBe(true);
    expect((await engine.sourcePositions(topic, 0)).every(({ offset }) => offset === -1)).toBe(true);
    expect(counts(await engine.publish(sourced(-1, [[3, userItem('u1', 'new')]])))).toEqual([0, 1, 0]);
  },

  'forgets no position that another router has moved since it was read': async (fixture) => {
    const { engine } = await fixture.node();
    await engine.publish(sourced(-1, [[100, userItem('u1', 'a')]]));
    const seen = await engine.sourcePositions(topic, 0);
    await engine.publish(sourced(-1, [[101, userItem('u1', 'b')]]));
    expect(await engine.claimSource(topic, 0, { seen, forget: true })).toBe(false);
    expect(counts(await engine.publish(sourced(-1, [[101, userItem('u1', 'b')]])))).toEqual([0, 0, 1]);
  },

  'keeps for good how a group first saw a topic, until it has begun to read it': async (fixture) => {
    const { engine } = await fixture.node();
    const [missing, there, begun] = [
      { topic: 'a', state: 'missing', atMs: 1 },
      { topic: 'a', state: 'there', atMs: 2 },
      { topic: 'a', state: 'begun', atMs: 3 },
    ] as const;
    const other = { topic: 'b', state: 'there', atMs: 2 } as const;
    expect(await engine.noteTopics('group', [missing])).toEqual([missing]);
    expect(await engine.noteTopics('group', [other, there])).toEqual([other, missing]);
    expect(await engine.noteTopics('group', [begun])).toEqual([begun]);
    expect(await engine.noteTopics('group', [there])).toEqual([begun]);
    expect(await engine.noteTopics('another group', [there])).toEqual([there]);
  },

  'keeps the position when it is claimed': async (fixture) => {
    const { engine } = await fixture.node();
    await engine.publish(sourced(-1, [[100, userItem('u1', 'a')]]));
    const seen = await engine.sourcePositions(topic, 0);
    expect(await engine.claimSource(topic, 0, { seen, forget: false })).toBe(true);
    expect(counts(await engine.publish(sourced(-1, [[100, userItem('u1', 'a')]])))).toEqual([0, 0, 1]);
  },
};

function markOf(offset: number): SourceMark {
  return { offset, proof: `proof-${offset}`, log: 'some-log', cluster: 'some-cluster' };
}

function marked(previousOffset: number, records: Parameters<typeof sourced>[1]): PublishBatch {
  const { source, items } = sourced(previousOffset, records);
  return { source: { ...source!, mark: markOf(source!.lastOffset) }, items };
}
