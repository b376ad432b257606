import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { startWithAnn, type ClientUnderTest, type EdgeUnderTest } from '../edge-under-test.js';

let node: EdgeUnderTest;
let client: ClientUnderTest;

beforeEach(async () => {
  ({ node, client } = await startWithAnn());
});
afterEach(() => node.stop());

const topic = 'notifications';

describe('a question for history', () => {
  // They were answered with the topic's history from its beginning, which is not what was asked for.
  it.each([
    ['of a topic and a room at once', { topic, room: 'red' }],
    ['of neither', {}],
    ['after a position without a member', { topic, after: {} }],
    ['after half a position', { topic, after: { epoch: 'x' } }],
    ['after what is no position', { topic, after: 1 }],
  ])('%s is a bad request', async (_, options) => {
    const answer = await client.ask('history', options);
    expect(answer).toMatchObject({ status: 'error', payload: { code: 'bad_request' } });
  });

  it.each([['no position'], [null]])('after %s begins with what is kept', async (after) => {
    const options = after === null ? { topic, after } : { topic };
    const { status, payload } = await client.ask('history', options);
    expect(status).toBe('ok');
    expect(payload['messages']).toHaveLength(2);
  });
});
