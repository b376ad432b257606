import { setImmediate as turn } from 'node:timers/promises';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { closeReason } from '../../../src/close-codes.js';
import { House } from './recording-sockets.js';
import { topicPolicy } from '../../policies.js';

const OWN = 'notifications/u/ann';
const PUBLIC = 'notifications/*';
/** The transport's channel of a small crowd. */
const GROUP = `${PUBLIC}\n0`;

describe('delivery to sockets', () => {
  it('sends all frames of one batch for a socket in one system call, in order', () => {
    const house = new House();
    const { socket } = house.subscriber(OWN);
    house.batch([OWN, 1, 'a'], [OWN, 2, 'b'], [OWN, 3, 'c']);
    house.batch([OWN, 4, 'd']);
    expect(socket.calls).toEqual([['a', 'b', 'c'], ['d']]);
  });

  it('reaches every device of a user and nobody else', () => {
    const house = new House();
    const [phone, desk, other] = [
      house.subscriber(OWN),
      house.subscriber(OWN),
      house.subscriber('notifications/u/bob'),
    ];
    house.batch([OWN, 1, 'a']);
    expect([phone.socket.frames, desk.socket.frames, other.socket.frames]).toEqual([['a'], ['a'], []]);
  });

  it('skips what a subscription has had, and goes on in a new epoch', () => {
    const house = new House();
    const { socket } = house.subscriber(OWN);
    house.batch([OWN, 5, 'a']);
    house.batch([OWN, 5, 'again'], [OWN, 4, 'older'], [OWN, 6, 'b'], [OWN, 1, 'c', 'e2']);
    expect(socket.frames).toEqual(['a', 'b', 'c']);
  });

  it('gives a record that came again under a new epoch only to those who came since', () => {
    const house = new House();
    const before = house.subscriber(OWN);
    house.batch([OWN, 5, 'a'], [OWN, 6, 'b']);
    const since = house.subscriber(OWN, topicPolicy('notifications'), true);
    since.subscription.epoch = 'e2';
    house.delivery.release(since.subscription, []);
    house.repeated(OWN, 1, 'a', 'e2');
    house.repeated(OWN, 2, 'b', 'e2');
    house.batch([OWN, 3, 'c', 'e2']);
    expect([before.socket.frames, since.socket.frames]).toEqual([
      ['a', 'b', 'c'],
      ['a', 'b', 'c'],
    ]);
  });

  it('gives a crowd a record that came again without a position just once', () => {
    const house = new House();
    const crowd = Array.from({ length: 20 }, () => house.subscriber(PUBLIC));
    house.batch([PUBLIC, 0, 'a']);
    house.batch([PUBLIC, 0, 'b']);
    house.repeated(PUBLIC, 0, 'b', '');
    house.batch([PUBLIC, 0, 'c']);
    expect(house.published.map((line) => line.slice(-1))).toEqual(['b', 'c']);
    expect(crowd[0]!.socket.frames).toEqual(['a']);
  });

  it('holds live frames until the history before them is sent, and drops those the history held', () => {
    const house = new House();
    const { socket, subscription } = house.subscriber(OWN, topicPolicy('notifications'), true);
    house.batch([OWN, 7, 'live7'], [OWN, 8, 'live8']);
    expect(socket.frames).toEqual([]);
    subscription.epoch = 'e';
    subscription.offset = 7;
    house.delivery.release(
      subscription,
      [6, 7].map((offset) => ({ epoch: 'e', offset, frame: Buffer.from(`old${offset}`) })),
    );
    house.sender.flush();
    expect(socket.frames).toEqual(['old6', 'old7', 'live8']);
  });

  it('closes with 4001 a socket whose history takes longer than its queue can hold', () => {
    const house = new House();
    const { socket } = house.subscriber(OWN, topicPolicy('notifications', { queueBytes: 5 }), true);
    house.batch([OWN, 1, 'aaaa'], [OWN, 2, 'bbbb']);
    expect(socket.closed).toBe(4001);
  });

  it('queues for a stalled socket by policy and sends the rest in order when it drains', () => {
    const house = new House();
    const { socket, connection } = house.subscriber(OWN);
    socket.stalled = true;
    house.batch([OWN, 1, 'a']);
    house.batch([OWN, 2, 'b'], [OWN, 3, 'c']);
    expect(socket.frames).toEqual(['a']);
    expect(house.stats.bufferedFrames).toBe(2);
    socket.stalled = false;
    socket.buffered = 0;
    house.sender.drained(connection);
    expect(socket.frames).toEqual(['a', 'b', 'c']);
    house.batch([OWN, 4, 'd']);
    expect(socket.frames).toEqual(['a', 'b', 'c', 'd']);
    expect(house.stats.bufferedFrames).toBe(0);
  });

  it('closes with 4001 when the queue of a stalled socket is full, and counts it', () => {
    const house = new House();
    const { socket } = house.subscriber(OWN, topicPolicy('notifications', { queueBytes: 6 }));
    socket.stalled = true;
    house.batch([OWN, 1, 'aaaa']);
    house.batch([OWN, 2, 'bbbb']);
    expect(socket.closed).toBeNull();
    house.batch([OWN, 3, 'cccc']);
    expect(socket.closed).toBe(4001);
    expect(house.stats.slowConsumerActions.values.get('queue')).toBe(1);
  });

  it('closes with 4001 a socket that has drained nothing for 30 seconds, whatever the policy', () => {
    const house = new House();
    const { socket } = house.subscriber(OWN, topicPolicy('balance-updates', { slow: 'conflate' }));
    socket.stalled = true;
    house.batch([OWN, 1, 'a']);
    house.nowMs = 30_000;
    house.sender.closeStalled();
    expect(socket.closed).toBeNull();
    house.nowMs = 30_001;
    house.sender.closeStalled();
    expect(socket.closed).toBe(4001);
  });

  it('moves a crowd to native fan-out between batches and serves nobody twice', () => {
    const house = new House();
    const crowd = Array.from({ length: 20 }, () => house.subscriber(PUBLIC));
    house.batch([PUBLIC, 1, 'a'], [PUBLIC, 2, 'b']);
    expect(house.published).toEqual([]);
    expect(crowd.every(({ socket }) => socket.frames.join() === 'a,b')).toBe(true);
    house.batch([PUBLIC, 3, 'c']);
    expect(house.published).toEqual([`${GROUP}=c`]);
    expect(crowd.every(({ socket }) => socket.frames.length === 2 && socket.channels.has(GROUP))).toBe(true);
  });

  it('does not hand a subscription to native fan-out that is ahead of the channel', () => {
    const house = new House();
    const crowd = Array.from({ length: 20 }, () => house.subscriber(PUBLIC));
    const ahead = crowd[0]!;
    ahead.subscription.epoch = 'e';
    ahead.subscription.offset = 2;
    house.batch([PUBLIC, 1, 'a']);
    expect(ahead.socket.channels.has(GROUP)).toBe(false);
    house.batch([PUBLIC, 2, 'b']);
    expect(ahead.socket.channels.has(GROUP)).toBe(true);
    house.batch([PUBLIC, 3, 'c']);
    expect(ahead.socket.frames).toEqual([]);
    expect(crowd[1]!.socket.frames).toEqual(['a']);
    expect(house.published).toEqual([`${GROUP}=b`, `${GROUP}=c`]);
  });

  it('takes a lagging socket out of native fan-out without a gap', () => {
    const house = new House();
    const crowd = Array.from({ length: 20 }, () => house.subscriber(PUBLIC));
    house.batch([PUBLIC, 1, 'a']);
    house.batch([PUBLIC, 2, 'native']);
    const slow = crowd[3]!;
    slow.socket.buffered = 1_000_000;
    house.delivery.sweep();
    expect(slow.socket.channels.has(GROUP)).toBe(false);
    house.batch([PUBLIC, 3, 'c']);
    expect(slow.socket.frames).toEqual(['a']);
    slow.socket.buffered = 0;
    house.sender.drained(slow.connection);
    expect(slow.socket.frames).toEqual(['a', 'c']);
  });

  it('takes a single newcomer into the native fan-out of a crowd', () => {
    const house = new House();
    Array.from({ length: 20 }, () => house.subscriber(PUBLIC));
    house.batch([PUBLIC, 1, 'a']);
    const { socket } = house.subscriber(PUBLIC);
    house.batch([PUBLIC, 2, 'b']);
    house.batch([PUBLIC, 3, 'c']);
    expect([socket.frames, socket.channels.has(GROUP)]).toEqual([['b'], true]);
  });

  it('queues one copy of a message for all slow sockets, made before its bytes change', () => {
    const house = new House();
    const slow = Array.from({ length: 3 }, () => house.subscriber(PUBLIC));
    for (const { socket } of slow) socket.stalled = true;
    house.batch([PUBLIC, 1, 'a']);
    const batch = Buffer.from('b and much more');
    const message = { stream: PUBLIC, epoch: 'e', recordTimeMs: 1, except: '', seen: false };
    house.delivery.deliver({ ...message, offset: 2, frame: batch.subarray(0, 1) });
    house.delivery.endBatch();
    batch.fill(0);
    const queued = slow.map(({ connection }) => connection.lane!.shift()!);
    expect(queued.map((frame) => Buffer.from(frame).toString())).toEqual(['b', 'b', 'b']);
    expect(new Set(queued).size).toBe(1);
  });

  describe('of one message for very many sockets', () => {
    const OWN_OF = (at: number): string => `notifications/u/user-${at}`;
    let house: House;
    let all: ReturnType<House['subscriber']>[];

    beforeEach(() => {
      house = new House();
      all = Array.from({ length: 1200 }, (_, at) => house.subscriber(OWN_OF(at)));
      for (const { connection } of all) house.sender.push(connection, Buffer.from('all'), null);
      house.sender.flush();
    });

    const served = (): number => all.filter(({ socket }) => socket.frames.length > 0).length;

    it('writes to 512 in a turn of the event loop', async () => {
      const counts = [served()];
      for (let turns = 0; turns < 3; turns++) {
        await turn();
        counts.push(served());
      }
      expect(counts).toEqual([512, 1024, 1200, 1200]);
    });

    it('writes to others meanwhile, and what follows rides along, in order', async () => {
      house.batch([OWN_OF(0), 1, 'own'], [OWN_OF(1199), 1, 'own']);
      expect(all[0]!.socket.calls).toEqual([['all'], ['own']]);
      expect(all[1199]!.socket.calls).toEqual([]);
      await turn();
      await turn();
      expect(all[1199]!.socket.calls).toEqual([['all', 'own']]);
    });

    it('keeps nobody waiting for an answer, and closes behind what was collected', () => {
      const [asks, leaves] = [all[1198]!, all[1199]!];
      house.sender.send(asks.connection, 'answer', 'answer');
      house.sender.close(leaves.connection, closeReason('drain'));
      expect([asks.socket.all, leaves.socket.all]).toEqual([
        ['all', 'answer'],
        ['all', 'end'],
      ]);
    });

    it('is done before a message for a crowd that came later', () => {
      const crowd = Array.from({ length: 20 }, () => house.subscriber(PUBLIC));
      house.batch([PUBLIC, 1, 'a']);
      house.batch([PUBLIC, 2, 'b']);
      expect(crowd.every(({ socket }) => socket.all.join() === 'a,b')).toBe(true);
      expect(served()).toBe(1200);
    });
  });
});
