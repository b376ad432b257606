import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { topicPolicy } from '../../policies.js';
import { EdgeUnderTest, turns, type ClientUnderTest } from '../edge-under-test.js';

/** What a client may send in one frame. */
const BYTES = 64 * 1024;
/** CPU in ms that two measurements of the same may differ by. */
const NOISE_MS = 10;

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

/** As many parts as a frame of this size holds. */
function many(size: number, part: (at: number) => string): string {
  const parts: string[] = [];
  for (let [at, bytes] = [0, 200]; bytes < size; at++) {
    const text = part(at);
    parts.push(text);
    bytes += text.length + 1;
  }
  return parts.join(',');
}

const key = (at: number): string => at.toString(36);

const FRAMES: Readonly<Record<string, (size: number) => string>> = {
  'one topic again and again': (size) => `"subscribe","options":{"topics":[${many(size, () => '"news"')}]}`,
  'one topic of keys again and again, a key each': (size) =>
    `"subscribe","options":{"topics":[${many(size, (at) => `{"topic":"prices","keys":["${key(at)}"]}`)}]}`,
  'keys by the thousand': (size) =>
    `"subscribe","options":{"topics":[{"topic":"prices","keys":[${many(size, (at) => `"${key(at)}"`)}]}]}`,
  'positions by the thousand': (size) =>
    `"subscribe","options":{"topics":[{"topic":"prices","keys":["a"],"positions":{${many(size, (at) => `"${key(at)}":{"epoch":"e","offset":1}`)}}}]}`,
  'topics to leave': (size) =>
    `"unsubscribe","options":{"topics":[${many(size, (at) => `{"topic":"prices","keys":["${key(at)}"]}`)}]}`,
  'topics to leave that are not there': (size) =>
    `"unsubscribe","options":{"topics":[${many(size, (at) => `"t${key(at)}"`)}]}`,
  'ids to leave': (size) =>
    `"subscription","options":{"action":"unsubscribe","ids":[${many(size, (at) => `"${key(at)}"`)}]}`,
  'a payload of lists': (size) => `"send","options":{"to":{"hub":"main"},"payload":[${many(size, () => '[]')}]}`,
  'a payload behind members': (size) =>
    `"send","options":{${many(size, (at) => `"${key(at)}":1`)},"payload":1,"to":{"hub":"main"}}`,
  'a payload of quotes': (size) => `"send","options":{"to":{"hub":"main"},"payload":"${'\\"'.repeat(size / 2 - 100)}"}`,
  'a token': (size) => `"authentication","options":{"authToken":"bad${'a.'.repeat(size / 2 - 100)}"}`,
  'a room': (size) => `"enter","options":{"room":"${'a'.repeat(size - 200)}"}`,
};

// Two of them took a tenth of a second: what was said of a topic was copied with each entry about it.
it.each(Object.keys(FRAMES))('four times the frame costs about four times as much: %s', async (name) => {
  let rid = 100;
  const cost = async (size: number): Promise<number> => {
    const times: number[] = [];
    for (let time = 0; time < 3; time++) {
      const text = `{"rid":${++rid},"command":${FRAMES[name]!(size)}}`;
      expect(text.length).toBeLessThanOrEqual(size);
      const began = process.cpuUsage();
      client.write(text);
      await turns(3);
      const { user, system } = process.cpuUsage(began);
      times.push((user + system) / 1000);
      await client.answer(rid);
    }
    return Math.min(...times);
  };
  const quarter = await cost(BYTES / 4);
  expect(await cost(BYTES)).toBeLessThan(8 * quarter + NOISE_MS);
});
