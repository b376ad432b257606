import { ofNoRecord } from '../../../src/inbox.js';
import { setImmediate as turn } from 'node:timers/promises';
import { beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { closeReason } from '../../../src/close-codes.js';
import type { Subscription } from '../../../src/edge/delivery/connection.js';
import { DeliveryUnderTest, RecordingTransport, type RecordingSocket } from './recording-sockets.js';

const PUBLIC = 'notifications/*';
/** Three groups of at most 256. */
const CROWD = 600;

type Member = ReturnType<DeliveryUnderTest['subscriber']>;

describe('native fan-out to a crowd', () => {
  let delivery: DeliveryUnderTest;
  let members: Member[];

  beforeEach(() => {
    delivery = new DeliveryUnderTest();
    members = Array.from({ length: CROWD }, () => delivery.subscriber(PUBLIC));
    delivery.batch([PUBLIC, 1, 'a']);
  });

  const fanned = (text: string): number => delivery.sockets.filter((socket) => socket.fanned.join('') === text).length;

  it('serves one group in a turn of the event loop, everybody once', async () => {
    delivery.batch([PUBLIC, 2, 'b']);
    const served = [fanned('b')];
    for (let turns = 0; turns < 3; turns++) {
      await turn();
      served.push(fanned('b'));
    }
    expect(served).toEqual([256, 512, 600, 600]);
    expect(delivery.published).toHaveLength(3);
  });

  it('takes along what comes while a round is under way, in order', async () => {
    delivery.batch([PUBLIC, 2, 'b']);
    await turn();
    delivery.batch([PUBLIC, 3, 'c']);
    expect([fanned('b'), fanned('bc')]).toEqual([512, 0]);
    await turn();
    expect([fanned('b'), fanned('bc')]).toEqual([512, 88]);
    await turn();
    await turn();
    expect(fanned('bc')).toBe(600);
  });

  it('copies what waits for its turn: the bytes belong to the engine', async () => {
    const frame = Buffer.from('b');
    const message = { stream: PUBLIC, epoch: 'e', recordTimeMs: 1, except: '', ...ofNoRecord, seen: false };
    delivery.delivery.deliver({ ...message, offset: 2, frame });
    frame.fill(0);
    delivery.delivery.endBatch();
    await turn();
    await turn();
    expect(fanned('b')).toBe(600);
  });

  it('gives a socket of the last group what it lacks before anything else: an answer, a message of its own, the end', () => {
    const { socket, connection } = lastOf(members);
    delivery.batch([PUBLIC, 2, 'b']);
    delivery.sender.send(connection, 'answer', 'answer');
    delivery.batch([PUBLIC, 3, 'c']);
    delivery.sender.push(connection, Buffer.from('own'), null);
    delivery.batch([PUBLIC, 4, 'd']);
    delivery.sender.close(connection, closeReason('resync'));
    expect(socket.all).toEqual(['a', 'b', 'answer', 'c', 'own', 'd', 'end']);
  });

  it('lets a message for all not overtake one for one socket in the same batch', () => {
    const own = 'notifications/u/ann';
    const { socket, connection } = members[0]!;
    delivery.subscribe(connection, own);
    delivery.batch([own, 1, 'first'], [PUBLIC, 2, 'b'], [own, 2, 'last']);
    expect(socket.all).toEqual(['a', 'first', 'b', 'last']);
  });

  it('goes on when all but one group have left in the middle of a round', async () => {
    delivery.batch([PUBLIC, 2, 'b']);
    const first = members.filter(
      ({ subscription }) => subscription.group === subscription.localStream.native!.groups[0],
    );
    for (const { subscription } of members)
      if (!first.some((m) => m.subscription === subscription)) leave(delivery, subscription);
    delivery.batch([PUBLIC, 3, 'c']);
    await turn();
    await turn();
    delivery.batch([PUBLIC, 4, 'd']);
    expect(first.map(({ socket }) => socket.fanned.join(''))).toEqual(first.map(() => 'bcd'));
  });

  // Whoever joins, lags or leaves at whatever moment: an unbroken run of messages from the first one on.
  it('leaves no gap and doubles nothing, whatever happens when', async () => {
    const acts = fc.constantFrom('message', 'turn', 'join', 'leave', 'demote', 'answer');
    const steps = fc.array(fc.tuple(acts, fc.nat(10_000)), { minLength: 50, maxLength: 200, size: 'max' });
    await fc.assert(fc.asyncProperty(steps, runSteps), { numRuns: 20 });
  });
});

describe('native fan-out of a node with two transports', () => {
  // With one publisher for all sockets, those of the other transport joined groups that nobody published to.
  it('gives every message to the members of both, once and in order, each through its own transport', async () => {
    const delivery = new DeliveryUnderTest();
    const second = new RecordingTransport();
    const members = Array.from({ length: 40 }, (_, at) =>
      delivery.subscriberOf(at % 2 === 0 ? delivery.transport : second, PUBLIC),
    );
    delivery.batch([PUBLIC, 1, '1,']);
    for (let offset = 2; offset <= 5; offset++) {
      delivery.batch([PUBLIC, offset, `${offset},`]);
      if (offset % 2 === 0) await turn();
    }
    for (let turns = 0; turns < 4; turns++) await turn();
    expect(members.map(({ socket }) => socket.all.join(''))).toEqual(members.map(() => '1,2,3,4,5,'));
    expect(members.every(({ socket }) => socket.fanned.join('') === '2,3,4,5,')).toBe(true);
    expect([delivery.transport.published.length, second.published.length]).toEqual([4, 4]);
  });

  it('serves a single socket of a second transport beside many of the first', async () => {
    const delivery = new DeliveryUnderTest();
    const second = new RecordingTransport();
    const single = delivery.subscriberOf(second, PUBLIC);
    for (let at = 0; at < 300; at++) delivery.subscriber(PUBLIC);
    for (let offset = 1; offset <= 3; offset++) delivery.batch([PUBLIC, offset, `${offset},`]);
    for (let turns = 0; turns < 6; turns++) await turn();
    expect(single.socket.all.join('')).toBe('1,2,3,');
    expect(delivery.sockets.every(({ all }) => all.join('') === '1,2,3,')).toBe(true);
  });
});

async function runSteps(steps: [act: string, at: number][]): Promise<void> {
  const delivery = new DeliveryUnderTest();
  const transports = [delivery.transport, new RecordingTransport()];
  const join = (at: number): Member => delivery.subscriberOf(transports[at % 2]!, PUBLIC);
  const present = Array.from({ length: CROWD }, (_, at) => join(at));
  let offset = 0;
  const message = (): void => delivery.batch([PUBLIC, ++offset, `${offset},`]);
  message();
  for (const [act, at] of steps) {
    const place = at % present.length;
    const { subscription, connection } = present[place]!;
    if (act === 'message') message();
    else if (act === 'turn') await turn();
    else if (act === 'join') present.push(join(at));
    else if (act === 'leave') leave(delivery, present.splice(place, 1)[0]!.subscription);
    else if (act === 'demote') delivery.delivery.demote(subscription);
    else delivery.sender.send(connection, '', 'answer');
  }
  message();
  const { groups, frames } = present[0]!.subscription.localStream.native!;
  for (let turns = 0; turns < 2 * groups.length; turns++) await turn();
  const broken = present.find(({ socket }) => !isUnbroken(socket, offset));
  expect(broken?.socket.all).toBeUndefined();
  expect([groups.length > 1, frames]).toEqual([true, []]);
}

function leave(delivery: DeliveryUnderTest, subscription: Subscription): void {
  delivery.delivery.detach(subscription);
  subscription.connection.subscriptions.splice(0);
}

/** Served by the Sender or by the transport, it has had every offset up to the last one, each once. */
function isUnbroken(socket: RecordingSocket, last: number): boolean {
  const offsets = socket.all.join('').split(',').slice(0, -1).map(Number);
  return offsets.at(-1) === last && offsets.every((offset, at) => at === 0 || offset === offsets[at - 1]! + 1);
}

function lastOf(members: readonly Member[]): Member {
  const { groups } = members[0]!.subscription.localStream.native!;
  return members.find(({ subscription }) => subscription.group === groups.at(-1))!;
}
