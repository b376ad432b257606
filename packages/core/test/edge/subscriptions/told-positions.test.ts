import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { EdgeUnderTest, type ClientUnderTest } from '../edge-under-test.js';

/** Seconds of what is waited for here; a walk over the streams of a test takes less. */
const WALK_SECONDS = 10;

let node: EdgeUnderTest;

beforeEach(async () => {
  jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask', 'performance'] });
  at('11:00');
  node = await new EdgeUnderTest().start();
  node.edge.start();
});
afterEach(async () => {
  await node.stop();
  jest.useRealTimers();
});

function at(time: string): void {
  jest.setSystemTime(new Date(`2026-01-01T${time}:00Z`));
}

async function seconds(count: number): Promise<void> {
  await jest.advanceTimersByTimeAsync(count * 1000);
}

const come = (user: string): Promise<ClientUnderTest> => node.connect('/ws', user, 'topics=notifications');

/** Epochs of the user's own stream and of the public one, as the client was told when it came. */
function told({ frames }: ClientUnderTest): string[] {
  const { topics } = frames[0]!.payload as { topics: [{ epoch: string; public: { epoch: string } }] };
  return [topics[0].epoch, topics[0].public.epoch];
}

/** Epochs of the first message of each of the two. */
async function brought(client: ClientUnderTest, user: string): Promise<unknown[]> {
  const before = client.frames.length;
  await node.publish('notifications', user, 'own');
  await node.publish('notifications', null, 'public');
  return client.frames.slice(before).map(({ epoch }) => epoch);
}

// Clients took the epoch for a new one, and loaded anew though nothing was missing.
describe('the first message of a stream', () => {
  it('comes under the epoch that was told, also when it was told in the half day before', async () => {
    const ann = await come('ann');
    at('11:40');
    await seconds(WALK_SECONDS);
    at('12:01');
    expect(await brought(ann, 'ann')).toEqual(told(ann));
  });

  it('does so when it comes days later', async () => {
    const ann = await come('ann');
    for (const day of [1, 2, 3]) {
      for (const hour of [11, 23]) {
        jest.setSystemTime(Date.UTC(2026, 0, day, hour, 45));
        await seconds(WALK_SECONDS);
      }
    }
    jest.setSystemTime(Date.UTC(2026, 0, 4, 3));
    expect(await brought(ann, 'ann')).toEqual(told(ann));
  });

  it('does so for who came when the half day was about to end', async () => {
    at('11:40');
    await seconds(WALK_SECONDS);
    const ann = await come('ann');
    await seconds(WALK_SECONDS);
    at('12:01');
    expect(await brought(ann, 'ann')).toEqual(told(ann));
  });
});

it('a message after days of silence comes under the epoch of the one before', async () => {
  const ann = await come('ann');
  const first = await brought(ann, 'ann');
  for (const day of [1, 2, 3, 4]) {
    for (const hour of [11, 23]) {
      jest.setSystemTime(Date.UTC(2026, 0, day, hour, 45));
      await seconds(WALK_SECONDS);
    }
  }
  // Time for the engine to forget what it may.
  await seconds(120);
  expect(await brought(ann, 'ann')).toEqual(first);
});

describe('the streams of a node', () => {
  let kept: string[];
  let asked: number;
  beforeEach(() => {
    kept = [];
    asked = 0;
    const keep = node.engine.keep.bind(node.engine);
    node.engine.keep = async (streams) => {
      asked++;
      kept.push(...streams.map(({ stream }) => stream));
      if (asked === 1) throw new Error('away');
      return keep(streams);
    };
  });

  it('are kept a few at a time, also those of a call that failed', async () => {
    const users = Array.from({ length: 250 }, (_, user) => `u${user}`);
    for (const user of users) await come(user);
    at('11:40');
    await seconds(2);
    expect(kept.length).toBeLessThanOrEqual(200);
    await seconds(WALK_SECONDS);
    expect(new Set(kept).size).toBe(users.length + 1);
  });

  it('are nobody’s business in between, nor when there are none', async () => {
    at('11:40');
    await seconds(3);
    expect(asked).toBe(0);
    await come('ann');
    for (const time of ['11:00', '11:29', '12:00', '23:29']) {
      at(time);
      await seconds(3);
    }
    expect(asked).toBe(0);
  });
});
