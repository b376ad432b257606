import { ofNoRecord } from '../../../src/inbox.js';
import { setImmediate as turn } from 'node:timers/promises';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { closeReason } from '../../../src/close-codes.js';
import { DeliveryUnderTest } from './recording-sockets.js';
import { topicPolicy } from '../../policies.js';

const OWN = 'notifications/u/ann';
const PUBLIC = 'notifications/*';
/** The transport's channel of a small crowd. */
const GROUP = `${PUBLIC}\n0`;

describe('delivery to sockets', () => {
  it('sends all frames of one batch for a socket in one system call, in order', () => {
    const delivery = new DeliveryUnderTest();
    const { socket } = delivery.subscriber(OWN);
    delivery.batch([OWN, 1, 'a'], [OWN, 2, 'b'], [OWN, 3, 'c']);
    delivery.batch([OWN, 4, 'd']);
    expect(socket.calls).toEqual([['a', 'b', 'c'], ['d']]);
  });

  it('reaches every device of a user and nobody else', () => {
    const delivery = new DeliveryUnderTest();
    const [phone, handshakerDeps, other] = [
      delivery.subscriber(OWN),
      delivery.subscriber(OWN),
      delivery.subscriber('notifications/u/bob'),
    ];
    delivery.batch([OWN, 1, 'a']);
    expect([phone.socket.frames, handshakerDeps.socket.frames, other.socket.frames]).toEqual([['a'], ['a'], []]);
  });

  it('skips what a subscription has had, and goes on in a new epoch', () => {
    const delivery = new DeliveryUnderTest();
    const { socket } = delivery.subscriber(OWN);
    delivery.batch([OWN, 5, 'a']);
    delivery.batch([OWN, 5, 'again'], [OWN, 4, 'older'], [OWN, 6, 'b'], [OWN, 1, 'c', 'e2']);
    expect(socket.frames).toEqual(['a', 'b', 'c']);
  });

  it('gives a record that came again under a new epoch only to those who came since', () => {
    const delivery = new DeliveryUnderTest();
    const before = delivery.subscriber(OWN);
    delivery.batch([OWN, 5, 'a'], [OWN, 6, 'b']);
    const since = delivery.subscriber(OWN, topicPolicy('notifications'), true);
    since.subscription.epoch = 'e2';
    delivery.delivery.release(since.subscription, []);
    delivery.repeated(OWN, 1, 'a', 'e2');
    delivery.repeated(OWN, 2, 'b', 'e2');
    delivery.batch([OWN, 3, 'c', 'e2']);
    expect([before.socket.frames, since.socket.frames]).toEqual([
      ['a', 'b', 'c'],
      ['a', 'b', 'c'],
    ]);
  });

  it('gives a crowd a record that came again without a position just once', () => {
    const delivery = new DeliveryUnderTest();
    const native = Array.from({ length: 20 }, () => delivery.subscriber(PUBLIC));
    delivery.batch([PUBLIC, 0, 'a']);
    delivery.batch([PUBLIC, 0, 'b']);
    delivery.repeated(PUBLIC, 0, 'b', '');
    delivery.batch([PUBLIC, 0, 'c']);
    expect(delivery.published.map((line) => line.slice(-1))).toEqual(['b', 'c']);
    expect(native[0]!.socket.frames).toEqual(['a']);
  });

  it('holds live frames until the history before them is sent, and drops those the history held', () => {
    const delivery = new DeliveryUnderTest();
    const { socket, subscription } = delivery.subscriber(OWN, topicPolicy('notifications'), true);
    delivery.batch([OWN, 7, 'live7'], [OWN, 8, 'live8']);
    expect(socket.frames).toEqual([]);
    subscription.epoch = 'e';
    subscription.offset = 7;
    delivery.delivery.release(
      subscription,
      [6, 7].map((offset) => ({ epoch: 'e', offset, frame: Buffer.from(`old${offset}`) })),
    );
    delivery.sender.flush();
    expect(socket.frames).toEqual(['old6', 'old7', 'live8']);
  });

  it('closes with 4001 a socket whose history takes longer than its queue can hold', () => {
    const delivery = new DeliveryUnderTest();
    const { socket } = delivery.subscriber(OWN, topicPolicy('notifications', { queueBytes: 5 }), true);
    delivery.batch([OWN, 1, 'aaaa'], [OWN, 2, 'bbbb']);
    expect(socket.closed).toBe(4001);
  });

  it('queues for a stalled socket by policy and sends the rest in order when it drains', () => {
    const delivery = new DeliveryUnderTest();
    const { socket, connection } = delivery.subscriber(OWN);
    socket.stalled = true;
    delivery.batch([OWN, 1, 'a']);
    delivery.batch([OWN, 2, 'b'], [OWN, 3, 'c']);
    expect(socket.frames).toEqual(['a']);
    delivery.sender.everySecond();
    expect(delivery.stats.bufferedFrames).toBe(2);
    socket.stalled = false;
    socket.buffered = 0;
    delivery.sender.drained(connection);
    expect(socket.frames).toEqual(['a', 'b', 'c']);
    delivery.batch([OWN, 4, 'd']);
    expect(socket.frames).toEqual(['a', 'b', 'c', 'd']);
    delivery.sender.everySecond();
    expect(delivery.stats.bufferedFrames).toBe(0);
  });

  it('closes with 4001 when the queue of a stalled socket is full, and counts it', () => {
    const delivery = new DeliveryUnderTest();
    const { socket } = delivery.subscriber(OWN, topicPolicy('notifications', { queueBytes: 6 }));
    socket.stalled = true;
    delivery.batch([OWN, 1, 'aaaa']);
    delivery.batch([OWN, 2, 'bbbb']);
    expect(socket.closed).toBeNull();
    delivery.batch([OWN, 3, 'cccc']);
    expect(socket.closed).toBe(4001);
    expect(delivery.stats.slowConsumerActions.values.get('queue')).toBe(1);
  });

  it('closes with 4001 a socket that has drained nothing for 30 seconds, whatever the policy', () => {
    const delivery = new DeliveryUnderTest();
    const { socket } = delivery.subscriber(OWN, topicPolicy('balance-updates', { slow: 'conflate' }));
    socket.stalled = true;
    delivery.batch([OWN, 1, 'a']);
    delivery.nowMs = 30_000;
    delivery.sender.everySecond();
    expect(socket.closed).toBeNull();
    delivery.nowMs = 30_001;
    delivery.sender.everySecond();
    expect(socket.closed).toBe(4001);
  });

  it('names the topic that has waited longest when nothing drains for 30 seconds', () => {
    const delivery = new DeliveryUnderTest();
    const { socket, connection } = delivery.subscriber(OWN, topicPolicy('balance-updates', { slow: 'conflate' }));
    socket.stalled = true;
    delivery.batch([OWN, 1, 'a']);
    delivery.batch([OWN, 2, 'b']);
    delivery.nowMs = 30_001;
    delivery.sender.everySecond();
    expect(connection.closing).toEqual({ code: 4001, reason: 'slow_consumer', topic: 'balance-updates' });
  });

  it('names the only topic of a socket when all that stalls is with the transport', () => {
    const delivery = new DeliveryUnderTest();
    const { socket, connection } = delivery.subscriber(OWN, topicPolicy('notifications'));
    socket.stalled = true;
    delivery.batch([OWN, 1, 'a']);
    delivery.nowMs = 30_001;
    delivery.sender.everySecond();
    expect(connection.closing).toEqual({ code: 4001, reason: 'slow_consumer', topic: 'notifications' });
  });

  it('moves a crowd to native fan-out between batches and serves nobody twice', () => {
    const delivery = new DeliveryUnderTest();
    const native = Array.from({ length: 20 }, () => delivery.subscriber(PUBLIC));
    delivery.batch([PUBLIC, 1, 'a'], [PUBLIC, 2, 'b']);
    expect(delivery.published).toEqual([]);
    expect(native.every(({ socket }) => socket.frames.join() === 'a,b')).toBe(true);
    delivery.batch([PUBLIC, 3, 'c']);
    expect(delivery.published).toEqual([`${GROUP}=c`]);
    expect(native.every(({ socket }) => socket.frames.length === 2 && socket.groups.has(GROUP))).toBe(true);
  });

  it('does not hand a subscription to native fan-out that is ahead of the channel', () => {
    const delivery = new DeliveryUnderTest();
    const native = Array.from({ length: 20 }, () => delivery.subscriber(PUBLIC));
    const ahead = native[0]!;
    ahead.subscription.epoch = 'e';
    ahead.subscription.offset = 2;
    delivery.batch([PUBLIC, 1, 'a']);
    expect(ahead.socket.groups.has(GROUP)).toBe(false);
    delivery.batch([PUBLIC, 2, 'b']);
    expect(ahead.socket.groups.has(GROUP)).toBe(true);
    delivery.batch([PUBLIC, 3, 'c']);
    expect(ahead.socket.frames).toEqual([]);
    expect(native[1]!.socket.frames).toEqual(['a']);
    expect(delivery.published).toEqual([`${GROUP}=b`, `${GROUP}=c`]);
  });

  it('takes a lagging socket out of native fan-out without a gap', () => {
    const delivery = new DeliveryUnderTest();
    const native = Array.from({ length: 20 }, () => delivery.subscriber(PUBLIC));
    delivery.batch([PUBLIC, 1, 'a']);
    delivery.batch([PUBLIC, 2, 'native']);
    const slow = native[3]!;
    slow.socket.buffered = 1_000_000;
    delivery.delivery.sweep();
    expect(slow.socket.groups.has(GROUP)).toBe(false);
    delivery.batch([PUBLIC, 3, 'c']);
    expect(slow.socket.frames).toEqual(['a']);
    slow.socket.buffered = 0;
    delivery.sender.drained(slow.connection);
    expect(slow.socket.frames).toEqual(['a', 'c']);
  });

  it('takes a single newcomer into the native fan-out of a crowd', () => {
    const delivery = new DeliveryUnderTest();
    Array.from({ length: 20 }, () => delivery.subscriber(PUBLIC));
    delivery.batch([PUBLIC, 1, 'a']);
    const { socket } = delivery.subscriber(PUBLIC);
    delivery.batch([PUBLIC, 2, 'b']);
    delivery.batch([PUBLIC, 3, 'c']);
    expect([socket.frames, socket.groups.has(GROUP)]).toEqual([['b'], true]);
  });

  it('queues one copy of a message for all slow sockets, made before its bytes change', () => {
    const delivery = new DeliveryUnderTest();
    const slow = Array.from({ length: 3 }, () => delivery.subscriber(PUBLIC));
    for (const { socket } of slow) socket.stalled = true;
    delivery.batch([PUBLIC, 1, 'a']);
    const batch = Buffer.from('b and much more');
    const message = { stream: PUBLIC, epoch: 'e', recordTimeMs: 1, except: '', ...ofNoRecord, seen: false };
    delivery.delivery.deliver({ ...message, offset: 2, frame: batch.subarray(0, 1) });
    delivery.delivery.endBatch();
    batch.fill(0);
    const queued = slow.map(({ connection }) => connection.slowQueue!.shift()!);
    expect(queued.map((frame) => Buffer.from(frame).toString())).toEqual(['b', 'b', 'b']);
    expect(new Set(queued).size).toBe(1);
  });

  describe('of one message for very many sockets', () => {
    const OWN_OF = (at: number): string => `notifications/u/user-${at}`;
    let delivery: DeliveryUnderTest;
    let all: ReturnType<DeliveryUnderTest['subscriber']>[];

    beforeEach(() => {
      delivery = new DeliveryUnderTest();
      all = Array.from({ length: 1200 }, (_, at) => delivery.subscriber(OWN_OF(at)));
      for (const { connection } of all) delivery.sender.push(connection, Buffer.from('all'), null);
      delivery.sender.flush();
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
      delivery.batch([OWN_OF(0), 1, 'own'], [OWN_OF(1199), 1, 'own']);
      expect(all[0]!.socket.calls).toEqual([['all'], ['own']]);
      expect(all[1199]!.socket.calls).toEqual([]);
      await turn();
      await turn();
      expect(all[1199]!.socket.calls).toEqual([['all', 'own']]);
    });

    it('keeps nobody waiting for an answer, and closes behind what was collected', () => {
      const [asks, leaves] = [all[1198]!, all[1199]!];
      delivery.sender.send(asks.connection, 'answer', 'answer');
      delivery.sender.close(leaves.connection, closeReason('drain'));
      expect([asks.socket.all, leaves.socket.all]).toEqual([
        ['all', 'answer'],
        ['all', 'end'],
      ]);
    });

    it('is done before a message for a crowd that came later', () => {
      const native = Array.from({ length: 20 }, () => delivery.subscriber(PUBLIC));
      delivery.batch([PUBLIC, 1, 'a']);
      delivery.batch([PUBLIC, 2, 'b']);
      expect(native.every(({ socket }) => socket.all.join() === 'a,b')).toBe(true);
      expect(served()).toBe(1200);
    });
  });
});
