import { afterEach, expect, test } from '@jest/globals';
import { createTopics, uniqueName, waitFor } from '@ws-gateway/testkit';
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
