import { expect } from '@jest/globals';
import { closeCodes, type Block, type BlockWord, type PublishItem } from '@ws-gateway/core';
import {
  admit,
  counts,
  headOf,
  ordered,
  sourced,
  topic,
  unsourced,
  userItem,
  type ConformanceTests,
  type TestNode,
} from './fixture.js';

const replacedClose = { code: closeCodes.session_replaced, reason: 'session_replaced' };
const forEver: Block = { reason: 'fraud', expiresAtMs: null };

function blockItem(user: string, block: Block | null, step?: string): PublishItem {
  const head = headOf('blocked', `user-blocks/u/${user}`);
  return {
    kind: 'block',
    topic: 'user-blocks',
    user,
    block,
    retention: ordered,
    head,
    sourceOffset: -1,
    recordTimeMs: 1,
    ...(step !== undefined && { step }),
  };
}

function connections(node: TestNode, user: string): Promise<string[]> {
  return node.engine.presence(user).then((rows) => rows.map(({ connection }) => connection).sort());
}

export const sessions: ConformanceTests = {
  'admits a guest without a row': async (fixture) => {
    const node = await fixture.node();
    const stream = { stream: 'news/*', retention: ordered, user: null };
    const result = await admit(node, null, 'c1', { streams: [stream] });
    expect(result).toMatchObject({ status: 'admitted', positions: [{ offset: 0 }] });
  },

  'takes rows away on release and stops routing': async (fixture) => {
    const node = await fixture.node();
    await admit(node, 'u1', 'c1');
    await admit(node, 'u1', 'c2', { endpoint: '/my endpoint', sinceMs: 2000 });
    expect(await node.engine.presence('u1')).toContainEqual({
      connection: 'c2',
      node: 'node-0',
      endpoint: '/my endpoint',
      sinceMs: 2000,
    });
    await node.engine.release([{ connection: 'c1', user: 'u1' }]);
    expect(await connections(node, 'u1')).toEqual(['c2']);
    await node.engine.release([
      { connection: 'c2', user: 'u1' },
      { connection: 'unknown', user: 'u9' },
    ]);
    expect(await connections(node, 'u1')).toEqual([]);
    expect(counts(await node.engine.publish(unsourced(userItem('u1', 'x'))))).toEqual([0, 1, 0]);
  },

  'keeps the row of a connection that has changed its user': async (fixture) => {
    const node = await fixture.node();
    await admit(node, 'u1', 'c1');
    await admit(node, 'u2', 'c1');
    await node.engine.release([{ connection: 'c1', user: 'u1' }]);
    expect([await connections(node, 'u1'), await connections(node, 'u2')]).toEqual([[], ['c1']]);
    expect(counts(await node.engine.publish(unsourced(userItem('u1', 'x'), userItem('u2', 'y'))))).toEqual([1, 1, 0]);
    await node.engine.release([{ connection: 'c1', user: 'u2' }]);
    expect(await connections(node, 'u2')).toEqual([]);
  },

  'releases very many at once': async (fixture) => {
    const node = await fixture.node();
    const all = Array.from({ length: 500 }, (_, i) => ({ connection: `c${i}`, user: `u${i % 50}` }));
    await Promise.all(all.map(({ connection, user }) => admit(node, user, connection)));
    expect((await connections(node, 'u7')).length).toBe(10);
    await node.engine.release(all);
    for (let i = 0; i < 50; i++) expect(await connections(node, `u${i}`)).toEqual([]);
  },

  // Its row was taken away while its node was paused, and the place was free.
  'leaves the sessions to newer connections that took them before one was registered again': async (fixture) => {
    const node = await fixture.node();
    for (const policy of ['reject', 'replace'] as const) {
      const limited = { sessions: { max: 2, policy } } as const;
      const rejoin = (connection: string, sinceMs: number) =>
        admit(node, policy, connection, { ...limited, rejoin: true, sinceMs });
      await admit(node, policy, 'c2', { ...limited, sinceMs: 2000 });
      expect(await rejoin('c1', 1000)).toMatchObject({ status: 'admitted' });
      await node.engine.release([{ connection: 'c1', user: policy }]);
      await admit(node, policy, 'c3', { ...limited, sinceMs: 3000 });
      expect(await rejoin('c1', 1000)).toEqual({ status: 'session_limit' });
      expect(await rejoin('c2', 2000)).toMatchObject({ status: 'admitted' });
    }
  },

  'rejects beyond the session limit': async (fixture) => {
    const node = await fixture.node();
    const limited = { sessions: { max: 2, policy: 'reject' } } as const;
    await admit(node, 'u1', 'c1', limited);
    await admit(node, 'u1', 'c2', limited);
    expect(await admit(node, 'u1', 'c3', limited)).toEqual({ status: 'session_limit' });
    expect(await admit(node, 'u1', 'c2', limited)).toMatchObject({ status: 'admitted' });
    expect(await admit(node, 'u1', 'c3', { ...limited, rejoin: true })).toMatchObject({ status: 'admitted' });
    await node.engine.release([
      { connection: 'c1', user: 'u1' },
      { connection: 'c3', user: 'u1' },
    ]);
    expect(await admit(node, 'u1', 'c4', limited)).toMatchObject({ status: 'admitted' });
  },

  'replaces the oldest session': async (fixture) => {
    const node = await fixture.node();
    const limited = { sessions: { max: 2, policy: 'replace' } } as const;
    await admit(node, 'u"1', 'young', { ...limited, sinceMs: 3000 });
    await admit(node, 'u"1', 'old', { ...limited, sinceMs: 2000 });
    expect(await admit(node, 'u"1', 'new', { ...limited, sinceMs: 4000 })).toMatchObject({ status: 'admitted' });
    await node.inbox.waitFor(() => node.inbox.commands.length === 1, 'a close command');
    const close = { command: 'close', user: 'u"1', connection: 'old', close: replacedClose };
    expect(node.inbox.commands[0]).toEqual(close);
    expect(await connections(node, 'u"1')).toEqual(['new', 'young']);
  },

  'delivers everything published after admit resolved': async (fixture) => {
    const node = await fixture.node();
    const publisher = fixture.severalNodes ? await fixture.node() : node;
    const users = Array.from({ length: 300 }, (_, i) => `racer-${i}`);
    let published = 0;
    await Promise.all(
      users.map(async (user) => {
        // Some of these are published before the row is written, some after it: only what comes after it counts.
        const before = publisher.engine.publish(unsourced(userItem(user, 'early')));
        await admit(node, user, `c-${user}`);
        await publisher.engine.publish(unsourced(userItem(user, `after ${user}`)));
        published++;
        await before;
      }),
    );
    expect(published).toBe(users.length);
    const arrived = () => node.inbox.texts().filter((text) => text.startsWith('after '));
    await node.inbox.waitFor(() => arrived().length === users.length, 'all messages after admit');
    expect(new Set(arrived()).size).toBe(users.length);
  },
};

export const exclusiveEndpoints: ConformanceTests = {
  'refuse a second connection': async (fixture) => {
    const node = await fixture.node();
    const chat = { endpoint: '/chat', exclusive: 'reject' } as const;
    expect(await admit(node, 'u1', 'c1', chat)).toMatchObject({ status: 'admitted' });
    expect(await admit(node, 'u1', 'c2', chat)).toEqual({ status: 'already_connected' });
    expect(await admit(node, 'u1', 'c1', chat)).toMatchObject({ status: 'admitted' });
    expect(await admit(node, 'u1', 'c3', { ...chat, endpoint: '/chat two' })).toMatchObject({ status: 'admitted' });
    expect(await admit(node, 'u1', 'c4')).toMatchObject({ status: 'admitted' });
    expect(await admit(node, 'u2', 'c5', chat)).toMatchObject({ status: 'admitted' });
    expect(await connections(node, 'u1')).toEqual(['c1', 'c3', 'c4']);
    await node.engine.release([{ connection: 'c1', user: 'u1' }]);
    expect(await admit(node, 'u1', 'c6', chat)).toMatchObject({ status: 'admitted' });
  },

  'replace the connection that is there': async (fixture) => {
    const node = await fixture.node();
    const chat = { endpoint: '/chat', exclusive: 'replace' } as const;
    await admit(node, 'u1', 'c0');
    await admit(node, 'u1', 'c1', chat);
    expect(await admit(node, 'u1', 'c2', chat)).toMatchObject({ status: 'admitted' });
    await node.inbox.waitFor(() => node.inbox.commands.length > 0, 'a close command');
    await fixture.settle(node);
    expect(node.inbox.commands).toEqual([{ command: 'close', user: 'u1', connection: 'c1', close: replacedClose }]);
    expect(await connections(node, 'u1')).toEqual(['c0', 'c2']);
  },

  'keep the newest of those that are open already': async (fixture) => {
    const node = await fixture.node();
    const rejoin = (connection: string, sinceMs: number, exclusive: 'reject' | 'replace') =>
      admit(node, 'u1', connection, { endpoint: '/chat', exclusive, rejoin: true, sinceMs });
    await admit(node, 'u1', 'c0', { sinceMs: 9000 });
    for (const exclusive of ['reject', 'replace'] as const) {
      expect(await rejoin('c1', 2000, exclusive)).toMatchObject({ status: 'admitted' });
      expect(await rejoin('c1', 2000, exclusive)).toMatchObject({ status: 'admitted' });
      expect(await rejoin('older', 1000, exclusive)).toEqual({ status: 'already_connected' });
      expect(await rejoin('c2', 2000, exclusive)).toMatchObject({ status: 'admitted' });
      await fixture.settle(node);
      expect(node.inbox.commands).toEqual([{ command: 'close', user: 'u1', connection: 'c1', close: replacedClose }]);
      expect(await connections(node, 'u1')).toEqual(['c0', 'c2']);
      await node.engine.release([{ connection: 'c2', user: 'u1' }]);
      node.inbox.commands.length = 0;
    }
  },

  'free a place under the session limit, and keep it when the admission is refused': async (fixture) => {
    const node = await fixture.node();
    const chat = { endpoint: '/chat', exclusive: 'replace' } as const;
    await admit(node, 'u1', 'c1', chat);
    await admit(node, 'u1', 'c2');
    const two = { ...chat, sessions: { max: 2, policy: 'reject' } } as const;
    expect(await admit(node, 'u1', 'c3', two)).toMatchObject({ status: 'admitted' });
    expect(await connections(node, 'u1')).toEqual(['c2', 'c3']);
    const one = { ...chat, sessions: { max: 1, policy: 'reject' } } as const;
    expect(await admit(node, 'u1', 'c4', one)).toEqual({ status: 'session_limit' });
    expect(await connections(node, 'u1')).toEqual(['c2', 'c3']);
    await fixture.settle(node);
    expect(node.inbox.commands).toHaveLength(1);
  },
};

/** The last record about a user, as an entry of a map. */
function word(user: string, offset: number, block: Block | null): [string, BlockWord] {
  return [user, { topic, partition: 0, offset, block }];
}

export const blocks: ConformanceTests = {
  'sends the frame, then closes, and refuses from then on': async (fixture) => {
    const node = await fixture.node();
    await admit(node, 'u1', 'c1');
    await admit(node, 'u2', 'c2');
    const result = await node.engine.publish(
      unsourced(userItem('u1', 'before'), blockItem('u1', forEver), userItem('u1', 'after')),
    );
    expect(result.items![1]).toMatchObject({ nodes: 1, position: { offset: 1 } });
    await node.inbox.waitForTexts(3);
    const close = { command: 'close', user: 'u1', close: { code: closeCodes.user_blocked, reason: 'fraud' } };
    const closing = `command:${JSON.stringify(close)}`;
    expect(node.inbox.events).toEqual(['message:before', 'message:blocked', closing, 'message:after', 'end']);
    expect(await admit(node, 'u1', 'c3')).toEqual({ status: 'blocked', block: forEver });
    expect(await admit(node, 'u1', 'c1', { rejoin: true })).toEqual({ status: 'blocked', block: forEver });
    expect(await admit(node, 'u2', 'c4')).toMatchObject({ status: 'admitted' });
  },

  'admits again after the block was lifted, and closes nobody for it': async (fixture) => {
    const node = await fixture.node();
    await admit(node, 'u1', 'c1');
    await node.engine.publish(unsourced(blockItem('u1', forEver)));
    await node.engine.publish(unsourced(blockItem('u1', null)));
    expect(await admit(node, 'u1', 'c2')).toMatchObject({ status: 'admitted' });
    await fixture.settle(node);
    expect(node.inbox.commands).toHaveLength(1);
    expect(node.inbox.texts()).toEqual(['blocked', 'blocked']);
  },

  // The admin API writes the record of a block, and does it at once: a router may be faster, or far behind.
  'does a block once when two bring it, with the frame before the close, whoever comes first': async (fixture) => {
    const node = await fixture.node();
    const close = (user: string) => {
      const reason = { code: closeCodes.user_blocked, reason: 'fraud' };
      return `command:${JSON.stringify({ command: 'close', user, close: reason })}`;
    };
    await admit(node, 'u1', 'c1');
    await admit(node, 'u2', 'c2');
    await node.engine.publish(sourced(-1, [[0, blockItem('u1', forEver, 's1')]]));
    await node.engine.publish(unsourced(blockItem('u1', forEver, 's1')));
    await node.engine.publish(unsourced(blockItem('u2', forEver, 's2')));
    await node.engine.publish(sourced(0, [[1, blockItem('u2', forEver, 's2')]]));
    await fixture.settle(node);
    const [first, second] = [close('u1'), close('u2')];
    expect(node.inbox.events.filter((event) => event.startsWith('command:') || event === 'message:blocked')).toEqual([
      ...['message:blocked', first],
      ...['message:blocked', second],
      // Who came back behind an older record that lifted the block has no place either.
      second,
    ]);
  },

  'does not block again by a step that is done when a later record lifted the block': async (fixture) => {
    const node = await fixture.node();
    await node.engine.publish(sourced(-1, [[0, blockItem('u1', forEver, 's1')]]));
    await node.engine.publish(sourced(0, [[1, blockItem('u1', null)]]));
    await node.engine.publish(unsourced(blockItem('u1', forEver, 's1')));
    expect(await admit(node, 'u1', 'c1')).toMatchObject({ status: 'admitted' });
  },

  'blocks by a record though its step was done, since an older record may have lifted the block': async (fixture) => {
    const node = await fixture.node();
    await node.engine.publish(unsourced(blockItem('u1', forEver, 's1')));
    await node.engine.publish(sourced(-1, [[0, blockItem('u1', null)]]));
    await node.engine.publish(sourced(0, [[1, blockItem('u1', forEver, 's1')]]));
    expect(await admit(node, 'u1', 'c1')).toMatchObject({ status: 'blocked' });
  },

  'blocks and unblocks without a record': async (fixture) => {
    const node = await fixture.node();
    await admit(node, 'u1', 'c1');
    await node.engine.block('u1', { reason: 'é"\\', expiresAtMs: null });
    await node.inbox.waitFor(() => node.inbox.commands.length === 1, 'a close command');
    expect(node.inbox.commands[0]).toMatchObject({
      user: 'u1',
      close: { code: closeCodes.user_blocked, reason: 'é"\\' },
    });
    expect(await admit(node, 'u1', 'c2')).toMatchObject({ status: 'blocked', block: { reason: 'é"\\' } });
    await node.engine.block('u1', null);
    expect(await admit(node, 'u1', 'c2')).toMatchObject({ status: 'admitted' });
    await fixture.settle(node);
    expect(node.inbox.texts()).toEqual([]);
  },

  'takes blocks that were read again, and closes the connections of these users': async (fixture) => {
    const node = await fixture.node();
    await admit(node, 'u1', 'c1');
    await admit(node, 'u2', 'c2');
    expect(await node.engine.blocksKnown()).toBe(false);
    const over = { reason: 'over', expiresAtMs: Date.now() - 1000 };
    await node.engine.block('u6', forEver);
    const words = [word('u1', 4, forEver), word('u4', 5, forEver), word('u5', 6, over), word('u6', 7, null)];
    expect(await node.engine.restoreBlocks(new Map(words))).toBe(4);
    expect(await node.engine.blocksKnown()).toBe(true);
    await fixture.settle(node);
    expect(node.inbox.commands.map((command) => 'user' in command && command.user)).toEqual(['u1']);
    const statuses = ['u1', 'u2', 'u4', 'u5', 'u6'].map(
      async (user) => (await admit(node, user, `${user}-new`)).status,
    );
    expect(await Promise.all(statuses)).toEqual(['blocked', 'admitted', 'blocked', 'admitted', 'admitted']);
  },

  // A store that was started again with all its data was given the blocks of the topic, and an unblock by the admin API was
  // undone; one that had lost an unblock kept the block for ever.
  'leaves alone what was done since a record was applied, and does what later ones say': async (fixture) => {
    const node = await fixture.node();
    await node.engine.publish(
      sourced(-1, [
        [9, blockItem('u1', forEver)],
        [10, blockItem('u2', forEver)],
      ]),
    );
    await node.engine.block('u1', null);
    const words = [word('u1', 9, forEver), word('u2', 11, null)];
    expect(await node.engine.restoreBlocks(new Map(words))).toBe(1);
    expect(await admit(node, 'u1', 'c1')).toMatchObject({ status: 'admitted' });
    expect(await admit(node, 'u2', 'c2')).toMatchObject({ status: 'admitted' });
  },

  'admits nobody with a revoked token': async (fixture) => {
    const node = await fixture.node();
    const soon = Date.now() + 60_000;
    const token = { tokenId: 't1', issuedAtMs: 1000 };
    await node.engine.revoke({ tokenId: 't1' }, soon);
    await node.inbox.waitFor(() => node.inbox.commands.length === 1, 'a revoke command');
    expect(node.inbox.commands).toEqual([{ command: 'revoke', revocation: { tokenId: 't1' } }]);
    expect(await admit(node, 'u1', 'c1', { token })).toEqual({ status: 'revoked' });
    expect(await admit(node, 'u2', 'c2', { token, rejoin: true })).toEqual({ status: 'revoked' });
    expect(await admit(node, 'u1', 'c1', { token: { ...token, tokenId: 't2' } })).toMatchObject({ status: 'admitted' });
    expect(await admit(node, 'u1', 'c2', { token: { ...token, tokenId: null } })).toMatchObject({ status: 'admitted' });
    expect(await admit(node, 'u1', 'c3')).toMatchObject({ status: 'admitted' });
    await node.engine.revoke({ tokenId: 't3' }, Date.now() + 1500);
    expect(await admit(node, 'u1', 'c4', { token: { ...token, tokenId: 't3' } })).toEqual({ status: 'revoked' });
    await fixture.harness.elapse(1600);
    expect(await admit(node, 'u1', 'c4', { token: { ...token, tokenId: 't3' } })).toMatchObject({ status: 'admitted' });
  },

  "revokes a user's tokens that were issued before a time, never fewer than before": async (fixture) => {
    const node = await fixture.node();
    const soon = Date.now() + 60_000;
    await node.engine.revoke({ user: 'u1', issuedBeforeMs: 5000 }, soon);
    await node.engine.revoke({ user: 'u1', issuedBeforeMs: 4000 }, Date.now() + 1);
    const statusOf = async (user: string, issuedAtMs: number | null) =>
      (await admit(node, user, 'c1', { token: { tokenId: 't', issuedAtMs } })).status;
    expect(await statusOf('u1', 4999)).toBe('revoked');
    expect(await statusOf('u1', null)).toBe('revoked');
    expect(await statusOf('u1', 5000)).toBe('admitted');
    expect(await statusOf('u2', 4999)).toBe('admitted');
  },

  'ends a block when its time is over': async (fixture) => {
    const node = await fixture.node();
    const expiresAtMs = Date.now() + 1500;
    await node.engine.block('u1', { reason: 'for a while', expiresAtMs });
    expect(await admit(node, 'u1', 'c1')).toEqual({ status: 'blocked', block: { reason: 'for a while', expiresAtMs } });
    await fixture.harness.elapse(1600);
    expect(await admit(node, 'u1', 'c1')).toMatchObject({ status: 'admitted' });
  },
};
