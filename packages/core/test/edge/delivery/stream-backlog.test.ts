import { beforeEach, describe, expect, it } from '@jest/globals';
import type { Subscription } from '../../../src/edge/delivery/connection.js';
import { ofNoRecord } from '../../../src/inbox.js';
import { topicPolicy } from '../../policies.js';
import { DeliveryUnderTest, type RecordingSocket } from './recording-sockets.js';

const PUBLIC = 'notifications/*';
const OWN = 'notifications/u/ann';

type Subscriber = ReturnType<DeliveryUnderTest['subscriber']>;

describe('slow sockets of a stream with many subscribers', () => {
  const policy = { ...topicPolicy('notifications', { slow: 'drop-oldest', queueBytes: 1000 }) };
  let delivery: DeliveryUnderTest;
  let all: Subscriber[];
  let offset: number;

  beforeEach(() => {
    Object.assign(policy, { slow: 'drop-oldest', queueBytes: 1000 });
    delivery = new DeliveryUnderTest();
    all = Array.from({ length: 20 }, () => delivery.subscriber(PUBLIC, policy));
    offset = 0;
    publish('a', 'b');
  });

  /** Each in a batch of its own. */
  function publish(...texts: string[]): void {
    for (const text of texts) delivery.batch([PUBLIC, ++offset, text]);
  }

  /** Makes these clients slow: from the next batch but one on the stream keeps for them what comes. */
  function stall(...subscribers: Subscriber[]): void {
    for (const { socket } of subscribers) Object.assign(socket, { stalled: true, buffered: 1_000_000 });
    publish('last native');
    delivery.delivery.sweep();
    publish('single');
  }

  function drain({ socket, connection }: Subscriber): string[] {
    const before = socket.frames.length;
    Object.assign(socket, { stalled: false, buffered: 0 });
    delivery.sender.drained(connection);
    return socket.frames.slice(before);
  }

  const stream = () => all[0]!.subscription.localStream;

  it('wait for one copy of what comes, and get all of it in order, each when it drains', () => {
    const [first, second] = [all[3]!, all[7]!];
    stall(first, second);
    publish('c', 'd');
    expect(drain(first)).toEqual(['single', 'c', 'd']);
    publish('e');
    expect(stream().backlog!.members).toEqual([second.subscription]);
    expect(drain(second)).toEqual(['single', 'c', 'd', 'e']);
    publish('f', 'g');
    expect(first.socket.all.slice(-3)).toEqual(['e', 'f', 'g']);
    expect(second.socket.all.slice(-3)).toEqual(['e', 'f', 'g']);
    expect(stream().backlog!.length).toBe(0);
  });

  it('cost a message nothing but its copy, however many they are', () => {
    stall(...all.slice(4));
    const kept = { stream: PUBLIC, epoch: 'e', recordTimeMs: 1, except: '', ...ofNoRecord, seen: false };
    const batch = Buffer.from('b and much more');
    delivery.delivery.deliver({ ...kept, offset: ++offset, frame: batch.subarray(0, 1) });
    delivery.delivery.endBatch();
    batch.fill(0);
    expect(stream().backlog!.length).toBe(1);
    const waiting = all
      .slice(4)
      .map(({ connection }) => [connection.slowQueue!.shift(), connection.slowQueue!.shift()!]);
    expect(new Set(waiting.map(([, frame]) => frame)).size).toBe(1);
    expect(Buffer.from(waiting[0]![1]!).toString()).toBe('b');
  });

  it('belong to their stream as others do, also when there are no others', () => {
    stall(...all);
    expect(stream().backlog!.members).toHaveLength(all.length);
    expect(all.map(({ subscription }) => subscription)).toContain(stream().anyMember);
  });

  it('lose their oldest frames with policy drop-oldest, and only what is beyond the bound of each', () => {
    const [early, late] = [all[0]!, all[1]!];
    stall(early);
    policy.queueBytes = 12;
    publish('cccc', 'dddd');
    stall(late);
    policy.queueBytes = 8;
    publish('eeee', 'ffff', 'gggg');
    expect([drain(early), drain(late)]).toEqual([
      ['ffff', 'gggg'],
      ['ffff', 'gggg'],
    ]);
    expect(delivery.stats.slowConsumerActions.values.get('drop-oldest')).toBeGreaterThan(0);
  });

  it('are closed with 4001 with policy queue when too much waits, those that read are not', () => {
    const [stalled, reads] = [all[0]!, all[1]!];
    policy.slow = 'queue';
    policy.queueBytes = 14;
    stall(stalled, reads);
    publish('cccc');
    expect(drain(reads)).toEqual(['single', 'cccc']);
    publish('dddd');
    expect(stalled.socket.closed).toBeNull();
    publish('eeee');
    expect([stalled.socket.closed, reads.socket.closed]).toEqual([4001, null]);
    expect(delivery.stats.bufferOverflows).toBe(1);
  });

  it('have only the newest with policy conflate, in the place of the oldest', () => {
    policy.slow = 'conflate';
    const slow = all[0]!;
    const queue = topicPolicy('queue-updates');
    delivery.subscribe(slow.connection, OWN, queue);
    stall(slow);
    publish('c');
    delivery.batch([OWN, 1, 'own']);
    publish('d', 'e');
    expect(drain(slow)).toEqual(['single', 'e', 'own']);
  });

  it('get frames of several streams in the order in which they came', () => {
    const slow = all[0]!;
    delivery.subscribe(slow.connection, OWN, policy);
    stall(slow);
    publish('c');
    delivery.batch([OWN, 1, 'own 1'], [PUBLIC, ++offset, 'd'], [OWN, 2, 'own 2']);
    publish('e');
    expect(drain(slow)).toEqual(['single', 'c', 'own 1', 'd', 'own 2', 'e']);
  });

  it('have one bound for all streams of a topic', () => {
    const slow = all[0]!;
    delivery.subscribe(slow.connection, OWN, policy);
    stall(slow);
    policy.queueBytes = 8;
    publish('cccc');
    delivery.batch([OWN, 1, 'oooo']);
    publish('dddd');
    expect(drain(slow)).toEqual(['oooo', 'dddd']);
  });

  it('get what waits, and nothing more, when they leave the stream', () => {
    const slow = all[0]!;
    stall(slow);
    publish('c');
    delivery.delivery.detach(slow.subscription);
    publish('d');
    expect(drain(slow)).toEqual(['single', 'c']);
    expect(stream().size).toBe(19);
  });

  it('have what waits before what comes when they are served singly again, at the position of the stream', () => {
    const slow = all[0]!;
    stall(slow);
    publish('c');
    delivery.delivery.demote(slow.subscription);
    expect(slow.subscription.position).toEqual({ epoch: 'e', offset });
    publish('d', 'e');
    expect(drain(slow)).toEqual(['single', 'c', 'd', 'e']);
  });

  it('are not told what they sent themselves', () => {
    const [slow, other] = [all[0]!, all[1]!];
    stall(slow, other);
    const sent = {
      stream: PUBLIC,
      epoch: 'e',
      recordTimeMs: 1,
      except: slow.connection.id,
      ...ofNoRecord,
      seen: false,
    };
    delivery.delivery.deliver({ ...sent, offset: ++offset, frame: Buffer.from('own') });
    delivery.delivery.endBatch();
    publish('c');
    expect([drain(slow), drain(other)]).toEqual([
      ['single', 'c'],
      ['single', 'own', 'c'],
    ]);
  });

  it('leave nothing behind when they are gone, and nothing that all have been given', () => {
    const [gone, stays] = [all[0]!, all[1]!];
    policy.queueBytes = 100;
    stall(gone, stays);
    for (let at = 0; at < 1000; at++) publish('0123456789');
    expect(stream().backlog!.length).toBeLessThanOrEqual(20);
    delivery.sender.forget(gone.connection);
    delivery.delivery.detach(gone.subscription);
    expect(drain(stays)).toHaveLength(10);
    publish('c');
    expect(stream().backlog!.length).toBe(0);
  });

  it('get each message once and in order, whenever they stall, drain, leave single service or come to it', () => {
    policy.slow = 'queue';
    policy.queueBytes = 1_000_000;
    const owns = all.map(({ connection }, at) => delivery.subscribe(connection, `notifications/u/${at}`, policy));
    const random = randomOf(20261130);
    const sent = new Map<Subscription, string[]>();
    for (const { subscription } of all) sent.set(subscription, ['a', 'b']);
    for (let step = 0; step < 3000; step++) {
      const at = Math.floor(random() * all.length);
      const { socket, connection, subscription } = all[at]!;
      const what = random();
      if (what < 0.1) Object.assign(socket, { stalled: true, buffered: 1_000_000 });
      else if (what < 0.2) drain(all[at]!);
      else if (what < 0.25) delivery.delivery.sweep();
      else if (what < 0.28) delivery.delivery.demote(subscription);
      else if (what < 0.4) {
        delivery.batch([`notifications/u/${at}`, step + 1, `own ${step}`]);
        sent.get(subscription)!.push(`own ${step}`);
      } else {
        const texts = Array.from({ length: 1 + Math.floor(random() * 3) }, (_, i) => `${step}.${i}`);
        delivery.batch(...texts.map((text): [string, number, string] => [PUBLIC, ++offset, text]));
        for (const list of sent.values()) list.push(...texts);
      }
      expect(connection.state).toBe('open');
    }
    for (const subscriber of all) drain(subscriber);
    for (const [at, { socket, subscription }] of all.entries()) {
      const isOwn = (text: string) => text.startsWith('own');
      const expected = sent.get(subscription)!;
      expect([at, socket.all.filter(isOwn)]).toEqual([at, expected.filter(isOwn)]);
      expect([at, others(socket)]).toEqual([at, expected.filter((text) => !isOwn(text))]);
    }
    expect(owns).toHaveLength(20);
  });

  const others = (socket: RecordingSocket) => socket.all.filter((text) => !text.startsWith('own'));
});

/** Numbers from 0 to 1, the same for the same seed. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
