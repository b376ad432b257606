import { afterEach, expect, test } from '@jest/globals';
import { createTopics, groupMembers, uniqueName, waitFor } from '@ws-gateway/testkit';
import { Nodes } from './support/harness.js';

const nodes = new Nodes();
afterEach(() => nodes.stopAll());

test('a killed sink does not keep its member from rejoining', async () => {
  const topic = uniqueName('group');
  await createTopics([topic], 2);
  const groupId = uniqueName('group');
  const a = await nodes.start({ topics: [topic], groupId });
  a.sink.onRevoked = async () => {
    throw new Error('the router has failed');
  };
  const b = await nodes.start({ topics: [topic], groupId });
  await waitFor(() => b.sink.owned.size === 1);
  expect(a.log.has('did not take')).toBe(true);
});

// Whoever is to notice its death must know it before the others wait for it.
test('a member tells its name before the group knows it', async () => {
  const topic = uniqueName('group');
  await createTopics([topic], 1);
  const groupId = uniqueName('group');
  const { source, sink } = nodes.create({ topics: [topic], groupId });
  const told: (string | null)[] = [];
  const known: string[][] = [];
  sink.onJoining = async () => {
    told.push(source.member);
    known.push(await groupMembers(groupId));
  };
  await source.start(sink);
  expect(known).toEqual([[]]);
  expect(await groupMembers(groupId)).toEqual(told);
});
