import { closeCodes, userStream, type Block, type RetainedStream } from '@ws-gateway/core';
import { expect } from '@jest/globals';
import { admit, latest, ordered, topic, unsourced, userItem, type ConformanceTests } from './fixture.js';

const fraud: Block = { reason: 'fraud', expiresAtMs: null };

function streamOf(user: string, name = topic): RetainedStream {
  return { stream: userStream(name, user), retention: name === topic ? ordered : latest, user };
}

/** What operators look at and take away. */
export const operators: ConformanceTests = {
  'list blocks in the order of the users, page by page, and not those that were lifted or are over': async (
    fixture,
  ) => {
    const { engine } = await fixture.node();
    const users = ['u10', 'u2', 'a b', 'é', 'u3', '\u{1f600}'];
    for (const user of users) await engine.block(user, fraud);
    await engine.block('over', { reason: '', expiresAtMs: Date.now() + 500 });
    await engine.block('lifted', fraud);
    await engine.block('lifted', null);
    await fixture.harness.elapse(600);
    const first = await engine.blocks('', 4);
    expect(first.map(({ user }) => user)).toEqual(['a b', 'u10', 'u2', 'u3']);
    expect((await engine.blocks('u3', 4)).map(({ user }) => user)).toEqual(['é', '\u{1f600}']);
    expect(first[0]).toEqual({ user: 'a b', block: fraud });
    expect(await engine.blocks('\u{1f600}', 4)).toEqual([]);
    expect(await Promise.all(['u2', 'over', 'lifted', 'x'].map((user) => engine.blockOf(user)))).toEqual([
      fraud,
      null,
      null,
      null,
    ]);
  },

  'erase what is kept of a user, close the connections, and leave the block and everybody else alone': async (
    fixture,
  ) => {
    const node = await fixture.node();
    const { engine } = node;
    const streams = [streamOf('u1'), streamOf('u1', 'rates'), streamOf('u1', 'never')];
    await admit(node, 'u1', 'c1', { streams });
    await admit(node, 'u2', 'c2');
    await engine.publish(unsourced(userItem('u1', 'a'), userItem('u1', 'b'), userItem('u2', 'c')));
    for (const text of ['d', 'e'])
      await engine.publish(unsourced({ ...userItem('u1', text, latest), topic: 'rates' } as never));
    await engine.acknowledge(streams[0]!, 1);
    const before = await engine.read(streams[0]!, null, 10);
    expect(await engine.erase('u1', streams)).toEqual({ streams: 2, messages: 3 });
    await node.inbox.waitFor(() => node.inbox.commands.length > 0, 'a close command');
    expect(node.inbox.commands).toMatchObject([{ command: 'close', user: 'u1', close: { code: closeCodes.revoked } }]);
    expect([await engine.presence('u1'), (await engine.presence('u2')).length]).toEqual([[], 1]);
    expect(await engine.acknowledged(streams[0]!)).toBeNull();
    const after = await engine.read(streams[0]!, { epoch: before.epoch, offset: 1 }, 10);
    expect(after).toMatchObject({ offset: 0, recovered: false, messages: [] });
    expect((await engine.read(streamOf('u2'), null, 10)).messages).toHaveLength(1);
    expect(await engine.erase('u1', streams)).toEqual({ streams: 0, messages: 0 });
    await engine.release([{ connection: 'c1', user: 'u1' }]);
    await engine.block('u1', fraud);
    await engine.erase('u1', streams);
    expect(await admit(node, 'u1', 'c3')).toMatchObject({ status: 'blocked' });
  },
};
