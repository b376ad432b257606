import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { topicPolicy } from '../../policies.js';
import { EdgeUnderTest, turns, type ClientUnderTest } from '../edge-under-test.js';

const BYTES = 64 * 1024;
/** CPU; of such frames a client may send four a second (`limits.requestBytesPerSecond`). */
const MS_MAX = 60;

let node: EdgeUnderTest;
let client: ClientUnderTest;

beforeEach(async () => {
  const keyed = topicPolicy('prices', { keys: { perConnection: 5000, claim: null } });
  node = await new EdgeUnderTest({ options: { topics: [topicPolicy('news'), keyed] } }).start();
  client = await node.connect('/ws', 'ann');
  await client.ask('subscribe', {
    topics: [{ topic: 'prices', keys: Array.from({ length: 200 }, (_, at) => `k${at}`) }],
  });
});
afterEach(() => node.stop());

/** As many parts as a frame holds. */
function many(part: (at: number) => string): string {
  const parts: string[] = [];
  for (let [at, bytes] = [0, 200]; bytes < BYTES; at++) {
    const text = part(at);
    parts.push(text);
    bytes += text.length + 1;
  }
  return parts.join(',');
}

const key = (at: number): string => at.toString(36);

const FRAMES: Readonly<Record<string, string>> = {
  'one topic again and again': `"subscribe","options":{"topics":[${many(() => '"news"')}]}`,
  'one topic of keys again and again, a key each': `"subscribe","options":{"topics":[${many((at) => `{"topic":"prices","keys":["${key(at)}"]}`)}]}`,
  'keys by the thousand': `"subscribe","options":{"topics":[{"topic":"prices","keys":[${many((at) => `"${key(at)}"`)}]}]}`,
  'positions by the thousand': `"subscribe","options":{"topics":[{"topic":"prices","keys":["a"],"positions":{${many((at) => `"${key(at)}":{"epoch":"e","offset":1}`)}}}]}`,
  'topics to leave': `"unsubscribe","options":{"topics":[${many((at) => `{"topic":"prices","keys":["${key(at)}"]}`)}]}`,
  'topics to leave that are not there': `"unsubscribe","options":{"topics":[${many((at) => `"t${key(at)}"`)}]}`,
  'ids to leave': `"subscription","options":{"action":"unsubscribe","ids":[${many((at) => `"${key(at)}"`)}]}`,
  'a payload of lists': `"send","options":{"to":{"hub":"main"},"payload":[${many(() => '[]')}]}`,
  'a payload behind members': `"send","options":{${many((at) => `"${key(at)}":1`)},"payload":1,"to":{"hub":"main"}}`,
  'a payload of quotes': `"send","options":{"to":{"hub":"main"},"payload":"${'\\"'.repeat(BYTES / 2 - 100)}"}`,
  'a token': `"authentication","options":{"authToken":"bad${'a.'.repeat(BYTES / 2 - 100)}"}`,
  'a room': `"enter","options":{"room":"${'a'.repeat(BYTES - 200)}"}`,
};

// Two of them took a tenth of a second: what was said of a topic was copied with each entry about it.
it.each(Object.keys(FRAMES))('a frame of 64 kB costs little: %s', async (name) => {
  const times: number[] = [];
  for (let rid = 100; rid < 103; rid++) {
    const text = `{"rid":${rid},"command":${FRAMES[name]}}`;
    expect(text.length).toBeLessThanOrEqual(BYTES);
    const began = process.cpuUsage();
    client.write(text);
    await turns(3);
    const { user, system } = process.cpuUsage(began);
    times.push((user + system) / 1000);
    await client.answer(rid);
  }
  expect(Math.min(...times)).toBeLessThan(MS_MAX);
});
