import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { EdgeUnderTest, turns, type ClientUnderTest } from '../edge-under-test.js';

const OWN = 'notifications/u/ann';
const PUBLIC = 'notifications/*';

let node: EdgeUnderTest;
let said: number;
let epochs: Record<string, string>;

beforeEach(async () => {
  node = await new EdgeUnderTest().start();
  said = 0;
  const retention = { mode: 'ordered', size: 100, ttlMs: 3_600_000 } as const;
  const streams = [
    { stream: OWN, retention, user: 'ann' },
    { stream: PUBLIC, retention, user: null },
  ];
  const tops = await node.engine.positions(streams);
  epochs = { [OWN]: tops[0]!.epoch, [PUBLIC]: tops[1]!.epoch };
});
afterEach(() => node.stop());

/** One more message in both streams, delivered to whoever is there for it. */
async function say(): Promise<void> {
  const number = ++said;
  await node.publish('notifications', 'ann', `own ${number}`);
  await node.publish('notifications', null, `public ${number}`);
  await turns(3);
}

type Step = 'watch' | 'admit' | 'positions' | 'read';

/** Says something right before and right behind each call of the engine. */
function sayAround(step: Step): void {
  const engine = node.engine as unknown as Record<Step, (...args: unknown[]) => Promise<unknown>>;
  const call = engine[step].bind(node.engine);
  engine[step] = async (...args) => {
    await say();
    const answer = await call(...args);
    await say();
    return answer;
  };
}

const heard = ({ updates }: ClientUnderTest, kind: string) =>
  updates.filter((text) => (text as string).startsWith(kind));
const all = (kind: string, from = 1) => Array.from({ length: said - from + 1 }, (_, at) => `${kind} ${at + from}`);

// Each row is a gap between two of the four steps: subscription stands → node watches → engine registers and tells the top →
// history is read → replay, held frames, live. A message that falls into the gap is missed, or comes twice, when the steps
// around it change places.
describe('a connection that subscribes while messages arrive', () => {
  it.each<[string, Step[]]>([
    ['around the watch', ['watch']],
    ['around the admission', ['admit']],
    ['around the reading of history', ['read']],
    ['around every step', ['watch', 'admit', 'read']],
  ])('in the handshake misses none and gets none twice: messages %s', async (_, steps) => {
    for (let at = 0; at < 3; at++) await say();
    for (const step of steps) sayAround(step);
    const recover = encodeURIComponent(`${OWN}:${epochs[OWN]}:0,${PUBLIC}:${epochs[PUBLIC]}:0`);
    const handshake = await node.handshake('/ws', 'ann', `topics=notifications&recover=${recover}`);
    const client = handshake as ClientUnderTest;
    await say();
    expect([heard(client, 'own'), heard(client, 'public')]).toEqual([all('own'), all('public')]);
  });

  it.each<[string, Step[]]>([
    ['around the watch', ['watch']],
    ['around the look-up of the top', ['positions']],
    ['around the reading of history', ['read']],
    ['around every step', ['watch', 'positions', 'read']],
  ])('by command misses none and gets none twice: messages %s', async (_, steps) => {
    const client = await node.connect('/ws', 'ann');
    for (let at = 0; at < 3; at++) await say();
    for (const step of steps) sayAround(step);
    const topics = [{ topic: 'notifications', epoch: epochs[OWN], offset: 0 }];
    expect((await client.ask('subscribe', { topics })).status).toBe('ok');
    await say();
    expect(heard(client, 'own')).toEqual(all('own'));
    // Without a position a stream begins where the answer says that it stands.
    const row = client.frames.find(({ rid }) => rid === 1)!.payload['topics'] as { public: { offset: number } }[];
    expect(heard(client, 'public')).toEqual(all('public', row[0]!.public.offset + 1));
  });

  it('is told its greeting first, then the replay, then what was held, then what is live', async () => {
    for (let at = 0; at < 2; at++) await say();
    sayAround('read');
    const recover = encodeURIComponent(`${OWN}:${epochs[OWN]}:0`);
    const client = await node.connect('/ws', 'ann', `topics=notifications&recover=${recover}`);
    await say();
    expect(client.frames[0]!.event).toBe('connected');
    expect(heard(client, 'own')).toEqual(all('own'));
  });

  it('leaves nothing behind in the node when the engine fails at any step', async () => {
    for (const step of ['watch', 'admit', 'read'] as const) {
      const engine = node.engine as unknown as Record<Step, () => Promise<unknown>>;
      engine[step] = () => Promise.reject(new Error('defect'));
      const recover = encodeURIComponent(`${OWN}:x:0`);
      expect(await node.handshake('/ws', 'ann', `topics=notifications&recover=${recover}`)).toMatchObject({
        status: 503,
      });
      Reflect.deleteProperty(node.engine, step);
      await turns();
      expect([node.edge.connectionCount, await node.rows('ann')]).toEqual([0, [0]]);
    }
    const client = await node.connect('/ws', 'ann', 'topics=notifications');
    await say();
    expect(client.updates).toEqual(['own 1', 'public 1']);
  });
});
