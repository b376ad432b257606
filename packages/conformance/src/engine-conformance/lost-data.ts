import { expect } from '@jest/globals';
import { waitFor } from '@ws-gateway/testkit';
import { admit, ordered, topic, unsourced, userItem, type ConformanceTests } from './fixture.js';

/** What engines do whose store can lose what it knows while they run. */
export const lostData: ConformanceTests = {
  'is told by a rebuild, before anything that is published behind it, and what is written again counts': async (
    fixture,
  ) => {
    const node = await fixture.node();
    const own = { stream: `${topic}/u/u1`, retention: ordered, user: 'u1' };
    await admit(node, 'u1', 'c1');
    await node.engine.publish(unsourced(userItem('u1', 'before')));
    await node.inbox.waitForTexts(1);
    const [known] = await node.engine.positions([own]);
    node.inbox.onRebuild = async () => void (await admit(node, 'u1', 'c1', { rejoin: true }));
    await fixture.harness.lose!();
    await node.inbox.waitFor(() => node.inbox.losses.some(({ concerns }) => concerns('u1')), 'a rebuild for the user');
    await waitFor(async () => (await node.engine.presence('u1')).length === 1, { what: 'the row' });
    await node.engine.publish(unsourced(userItem('u1', 'behind')));
    await node.inbox.waitForTexts(2);
    const events = node.inbox.events.filter((event) => event !== 'end');
    expect([events[0], events.at(-1)]).toEqual(['message:before', 'message:behind']);
    expect(events.slice(1, -1).every((event) => event === 'rebuild')).toBe(true);
    expect(await node.engine.read(own, known!, 10)).toMatchObject({ recovered: false });
  },

  'leaves no row of a connection that its node does not hold': async (fixture) => {
    const node = await fixture.node();
    await admit(node, 'u1', 'open');
    node.inbox.openConnections = new Set(['open u1']);
    // As an older state of the store brings it back.
    node.inbox.onRebuild = async () => {
      for (const connection of ['open', 'gone']) await admit(node, 'u1', connection, { rejoin: true });
    };
    await fixture.harness.lose!();
    await node.inbox.waitFor(() => node.inbox.rebuilds > 0, 'a rebuild');
    const rows = async () => (await node.engine.presence('u1')).map(({ connection }) => connection);
    await waitFor(async () => String(await rows()) === 'open', { what: 'the row of the open connection alone' });
  },
};
