import { expect } from '@jest/globals';
import { initialStatus } from '@ws-gateway/core';
import { waitFor } from '@ws-gateway/testkit';
import { admit, allItem, channelItem, ordered, topic, unsourced, userItem, type ConformanceTests } from './fixture.js';

export const severalNodes: ConformanceTests = {
  'routes to every node that holds the audience and to no other': async (fixture) => {
    const [a, b, c] = [await fixture.node('a'), await fixture.node('b'), await fixture.node('c')];
    await admit(a, 'u1', 'c1');
    await admit(a, 'u1', 'c2');
    await admit(b, 'u1', 'c3');
    await b.engine.watch(['room/r1']);
    const result = await c.engine.publish(
      unsourced(userItem('u1', 'mine'), channelItem('room/r1', 'room'), allItem('all')),
    );
    expect(result.items!.map(({ nodes }) => nodes)).toEqual([2, 1, 3]);
    await fixture.settle(c);
    expect(a.inbox.texts()).toEqual(['mine']);
    expect(b.inbox.texts().sort()).toEqual(['mine', 'room']);
    expect(c.inbox.texts()).toEqual([]);
    for (const { inbox } of [a, b, c]) await inbox.waitFor(() => inbox.broadcasts.length === 1, 'a broadcast');
  },

  'hands a node its share of a batch in one piece': async (fixture) => {
    const [a, b] = [await fixture.node('a'), await fixture.node('b')];
    await admit(a, 'u1', 'c1');
    await admit(b, 'u1', 'c2');
    await b.engine.publish(unsourced(...Array.from({ length: 20 }, (_, i) => userItem('u1', String(i)))));
    await a.inbox.waitForTexts(20);
    expect(a.inbox.batches).toBe(1);
  },

  'knows a source position whoever publishes': async (fixture) => {
    const [a, b] = [await fixture.node('a'), await fixture.node('b')];
    const source = { topic, partition: 3, previousOffset: -1, lastOffset: 7 };
    const batch = { source, items: [{ ...userItem('u1', 'x'), sourceOffset: 7 }] };
    expect(await a.engine.publish(batch)).toMatchObject({ offline: 1 });
    expect(await b.engine.publish(batch)).toMatchObject({ duplicates: 1 });
  },

  'reads the same history and the same positions everywhere': async (fixture) => {
    const [a, b] = [await fixture.node('a'), await fixture.node('b')];
    const stream = { stream: `${topic}/u/u1`, retention: ordered, user: 'u1' };
    await a.engine.publish(unsourced(userItem('u1', 'x'), userItem('u1', 'y')));
    expect(await b.engine.positions([stream])).toEqual(await a.engine.positions([stream]));
    expect((await b.engine.read(stream, null, 10)).messages).toHaveLength(2);
  },

  'enforces blocks and session limits on all nodes together': async (fixture) => {
    const [a, b] = [await fixture.node('a'), await fixture.node('b')];
    const limited = { sessions: { max: 1, policy: 'replace' } } as const;
    await admit(a, 'u1', 'c1', limited);
    await admit(b, 'u1', 'c2', { ...limited, sinceMs: 2000 });
    await a.inbox.waitFor(() => a.inbox.commands.length === 1, 'the replaced session to be closed');
    expect(a.inbox.commands[0]).toMatchObject({ connection: 'c1', close: { code: 4501 } });
    await a.engine.block('u1', { reason: 'x', expiresAtMs: null });
    await b.inbox.waitFor(() => b.inbox.commands.length === 1, 'the block to close');
    expect(await admit(b, 'u1', 'c3')).toMatchObject({ status: 'blocked' });
    await fixture.settle(a);
    expect(a.inbox.commands).toHaveLength(1);
  },

  'keeps an endpoint for one connection of a user in the whole cluster': async (fixture) => {
    const [a, b] = [await fixture.node('a'), await fixture.node('b')];
    await admit(a, 'u1', 'c1', { endpoint: '/chat' });
    expect(await admit(b, 'u1', 'c2', { endpoint: '/chat', exclusive: 'reject' })).toEqual({
      status: 'already_connected',
    });
    const replacing = { endpoint: '/chat', exclusive: 'replace' } as const;
    expect(await admit(b, 'u1', 'c2', replacing)).toMatchObject({ status: 'admitted' });
    // Beside it the engine may ask whether the node lives.
    const closes = () => a.inbox.commands.filter(({ command }) => command === 'close');
    await a.inbox.waitFor(() => closes().length === 1, 'the replaced connection to be closed');
    expect(closes()[0]).toMatchObject({ connection: 'c1', close: { code: 4501 } });
    expect(await a.engine.presence('u1')).toMatchObject([{ connection: 'c2', node: 'b' }]);
    await fixture.settle(a);
    expect(b.inbox.commands).toEqual([]);
  },

  'asks the nodes that watch a channel and no other': async (fixture) => {
    const [a, b, c] = [await fixture.node('a'), await fixture.node('b'), await fixture.node('c')];
    for (const { engine } of [a, b]) await engine.watch(['room/r1']);
    const question = { about: 'members', stream: 'room/r1' } as const;
    const asked = { command: 'ask', id: 'q1', from: 'c', question } as const;
    expect(await c.engine.control({ kind: 'channel', stream: 'room/r1' }, asked)).toBe(2);
    for (const { inbox } of [a, b]) await inbox.waitFor(() => inbox.commands.length === 1, 'the question');
    const report = { command: 'report', id: 'q1', answer: { users: ['u1'], connections: 1 } } as const;
    expect(await a.engine.control({ kind: 'node', node: 'c' }, report)).toBe(1);
    await c.inbox.waitFor(() => c.inbox.commands.length === 1, 'the answer');
    expect([a.inbox.commands, c.inbox.commands]).toEqual([[asked], [report]]);
  },

  'takes all rows of a connection away with its node, also while it changes its user': async (fixture) => {
    const [a, b, c] = [await fixture.node('a'), await fixture.node('b'), await fixture.node('c')];
    await admit(b, 'u1', 'c1');
    await admit(b, 'u2', 'c1');
    await admit(c, 'u3', 'c2');
    await admit(c, 'u4', 'c2');
    await c.engine.release([{ connection: 'c2', user: 'u3' }]);
    await b.engine.stop();
    await c.engine.stop();
    for (const user of ['u1', 'u2', 'u3', 'u4']) expect(await a.engine.presence(user)).toEqual([]);
  },

  'lists nodes until they stop, and takes their rows away': async (fixture) => {
    const [a, b] = [await fixture.node('a'), await fixture.node('b')];
    await admit(b, 'u1', 'c1');
    await b.engine.watch(['room/r1']);
    expect((await a.engine.nodes()).map(({ node }) => node).sort()).toEqual(['a', 'b']);
    b.engine.report({
      role: 'edge',
      address: 'b:1',
      version: '1',
      sinceMs: 5,
      connections: 7,
      users: 6,
      draining: true,
      lag: { t: 1 },
    });
    await waitFor(async () => (await a.engine.nodes()).some(({ connections }) => connections === 7), {
      what: 'the report',
    });
    expect(await a.engine.control({ kind: 'node', node: 'b' }, { command: 'drain' })).toBe(1);
    await b.engine.stop();
    expect((await a.engine.nodes()).map(({ node }) => node)).toEqual(['a']);
    expect(await a.engine.presence('u1')).toEqual([]);
    const { items } = await a.engine.publish(unsourced(userItem('u1', 'x'), channelItem('room/r1', 'y'), allItem('z')));
    expect(items!.map(({ nodes }) => nodes)).toEqual([0, 0, 1]);
    expect(await a.engine.control({ kind: 'node', node: 'b' }, { command: 'drain' })).toBe(0);
  },

  'shows a router the signs of life of the others of its group': async (fixture) => {
    const [a, b, c] = [await fixture.node('a'), await fixture.node('b'), await fixture.node('c')];
    expect(await a.engine.beat('g', { member: 'ma', leaseMs: 1600 })).toEqual([]);
    await c.engine.beat('another group', { member: 'mc', leaseMs: 1600 });
    const [first] = await b.engine.beat('g', { member: null, leaseMs: 5000 });
    expect(first).toMatchObject({ node: 'a', member: 'ma', leaseMs: 1600 });
    const [rested] = await b.engine.beat('g', { member: null, leaseMs: 5000 });
    expect(rested).toEqual(first);
    expect(await a.engine.beat('g', { member: 'ma', leaseMs: 1600 })).toMatchObject([{ member: null, leaseMs: 5000 }]);
    const [moved] = await b.engine.beat('g', { member: 'mb', leaseMs: 5000 });
    expect(moved!.score).not.toBe(first!.score);
    await a.engine.beat('g', null);
    expect(await b.engine.beat('g', { member: 'mb', leaseMs: 5000 })).toEqual([]);
  },

  'knows what topics the nodes read until the last one that reads them is gone': async (fixture) => {
    const [a, b] = [await fixture.node('a'), await fixture.node('b')];
    expect([...(await a.engine.topicsRead())]).toEqual([]);
    const status = { ...initialStatus('all', 0), connections: 1 };
    a.engine.report({ ...status, lag: { x: 0, 'not mine': 0 }, partitions: { x: 2 } });
    // As a node of an earlier release.
    b.engine.report({ ...status, lag: { y: 3, x: 0 } });
    const isTold = (...topics: string[]) =>
      waitFor(async () => [...(await a.engine.topicsRead())].sort().join() === topics.join(), { what: topics.join() });
    await isTold('x', 'y');
    a.engine.report({ ...status, partitions: {} });
    await isTold('x', 'y');
    await b.engine.stop();
    await isTold();
  },

  'lets one router alone take a silent one for dead, and nobody one that has moved': async (fixture) => {
    const [a, b, c] = [await fixture.node('a'), await fixture.node('b'), await fixture.node('c')];
    const beat = { member: 'm', leaseMs: 1600 };
    await a.engine.beat('g', beat);
    const [old] = await b.engine.beat('g', beat);
    await a.engine.beat('g', beat);
    expect(await b.engine.endBeat('g', old!)).toBe(false);
    const [seen] = await b.engine.beat('g', beat);
    const ended = await Promise.all([b, c].map(({ engine }) => engine.endBeat('g', seen!)));
    expect(ended.filter(Boolean)).toHaveLength(1);
    expect(await b.engine.beat('g', beat)).toEqual([]);
  },
};
