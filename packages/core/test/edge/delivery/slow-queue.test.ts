import { describe, expect, it } from '@jest/globals';
import { LocalStream } from '../../../src/edge/delivery/local-streams.js';
import { Subscription, type Connection } from '../../../src/edge/delivery/connection.js';
import { SlowQueue } from '../../../src/edge/delivery/slow-queue.js';
import type { SlowPolicy, TopicPolicy } from '../../../src/index.js';
import { topicPolicy } from '../../policies.js';

const connection = {} as Connection;
const answers = { slow: 'queue', queueBytes: 1000 } as const;

function subscription(stream: string, slow: SlowPolicy, queueBytes: number): Subscription {
  const policy: TopicPolicy = { ...topicPolicy(stream.split('/')[0]!), slow, queueBytes };
  return new Subscription(connection, new LocalStream(stream, false), { kind: 'topic', name: policy.name, policy });
}

function drain(slowQueue: SlowQueue): string[] {
  const frames: string[] = [];
  for (let frame = slowQueue.shift(); frame !== null; frame = slowQueue.shift())
    frames.push(Buffer.from(frame).toString());
  return frames;
}

const frame = (text: string) => Buffer.from(text);

describe('the lane of a slow socket', () => {
  it('keeps everything in order with policy queue and says when the bound is reached', () => {
    const slowQueue = new SlowQueue(0);
    const notifications = subscription('n/u/a', 'queue', 8);
    expect(slowQueue.push(notifications, frame('aaaa'), answers)).toBe('queued');
    expect(slowQueue.push(notifications, frame('bbbb'), answers)).toBe('queued');
    expect(slowQueue.push(notifications, frame('c'), answers)).toBe('overflow');
    expect(drain(slowQueue)).toEqual(['aaaa', 'bbbb']);
    expect(slowQueue.push(notifications, frame('dddd'), answers)).toBe('queued');
  });

  it('keeps only the newest frame of a stream with policy conflate, in the place of the first', () => {
    const slowQueue = new SlowQueue(0);
    const balance = subscription('b/u/a', 'conflate', 10);
    const other = subscription('n/u/a', 'queue', 100);
    slowQueue.push(balance, frame('b1'), answers);
    slowQueue.push(other, frame('n1'), answers);
    expect(slowQueue.push(balance, frame('b2'), answers)).toBe('conflated');
    expect(slowQueue.length).toBe(2);
    expect(drain(slowQueue)).toEqual(['b2', 'n1']);
    expect(slowQueue.push(balance, frame('b3'), answers)).toBe('queued');
  });

  it('makes room by dropping the oldest of the same topic only with policy drop-oldest', () => {
    const slowQueue = new SlowQueue(0);
    const ticks = subscription('t/u/a', 'drop-oldest', 4);
    const other = subscription('n/u/a', 'queue', 100);
    slowQueue.push(other, frame('n1'), answers);
    slowQueue.push(ticks, frame('t1'), answers);
    slowQueue.push(ticks, frame('t2'), answers);
    expect(slowQueue.push(ticks, frame('t3'), answers)).toBe('dropped_oldest');
    expect(drain(slowQueue)).toEqual(['n1', 't2', 't3']);
  });

  it('lets a single frame pass that is larger than the bound', () => {
    const slowQueue = new SlowQueue(0);
    expect(slowQueue.push(subscription('t/u/a', 'drop-oldest', 4), frame('too long'), answers)).toBe('queued');
    expect(slowQueue.push(null, Buffer.alloc(2000), answers)).toBe('queued');
    expect(slowQueue.push(null, frame('x'), answers)).toBe('overflow');
  });

  it('forgets its own past while a long backlog moves through it', () => {
    const slowQueue = new SlowQueue(0);
    const notifications = subscription('n/u/a', 'queue', 1_000_000);
    for (let at = 0; at < 1000; at++) slowQueue.push(notifications, frame(String(at)), answers);
    expect(drain(slowQueue)).toEqual(Array.from({ length: 1000 }, (_, at) => String(at)));
    expect(slowQueue.length).toBe(0);
  });

  // Fails when dropping looks for the oldest from the front each time: it took 38 % of a node with 50 such lanes.
  it('drops the oldest as fast behind a million dropped ones as behind none, and keeps no trace of them', () => {
    const slowQueue = new SlowQueue(0);
    const ticks = subscription('t/u/a', 'drop-oldest', 2);
    const one = frame('t');
    for (let at = 0; at < 1_000_000; at++) slowQueue.push(ticks, one, answers);
    slowQueue.push(ticks, frame('u'), answers);
    expect(drain(slowQueue)).toEqual(['t', 'u']);
  });

  it('keeps the order of what it holds for several topics, also when the oldest of one is dropped', () => {
    const slowQueue = new SlowQueue(0);
    const ticks = subscription('t/u/a', 'drop-oldest', 4);
    const other = subscription('n/u/a', 'queue', 100);
    for (const text of ['t1', 't2']) slowQueue.push(ticks, frame(text), answers);
    slowQueue.push(other, frame('n1'), answers);
    slowQueue.push(ticks, frame('t3'), answers);
    slowQueue.push(null, frame('a1'), answers);
    slowQueue.push(ticks, frame('t4'), answers);
    expect(drain(slowQueue)).toEqual(['n1', 't3', 'a1', 't4']);
  });
});
