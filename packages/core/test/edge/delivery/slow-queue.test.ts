import { describe, expect, it } from '@jest/globals';
import { Channel } from '../../../src/edge/delivery/local-streams.js';
import { Subscription, type Connection } from '../../../src/edge/delivery/connection.js';
import { SlowLane } from '../../../src/edge/delivery/slow-queue.js';
import type { SlowPolicy, TopicPolicy } from '../../../src/index.js';
import { topicPolicy } from '../../policies.js';

const connection = {} as Connection;
const answers = { slow: 'queue', queueBytes: 1000 } as const;

function subscription(stream: string, slow: SlowPolicy, queueBytes: number): Subscription {
  const policy: TopicPolicy = { ...topicPolicy(stream.split('/')[0]!), slow, queueBytes };
  return new Subscription(connection, new Channel(stream, false), { kind: 'topic', name: policy.name, policy });
}

function drain(lane: SlowLane): string[] {
  const frames: string[] = [];
  for (let frame = lane.shift(); frame !== null; frame = lane.shift()) frames.push(Buffer.from(frame).toString());
  return frames;
}

const frame = (text: string) => Buffer.from(text);

describe('the lane of a slow socket', () => {
  it('keeps everything in order with policy queue and says when the bound is reached', () => {
    const lane = new SlowLane(0);
    const notifications = subscription('n/u/a', 'queue', 8);
    expect(lane.push(notifications, frame('aaaa'), answers)).toBe('queued');
    expect(lane.push(notifications, frame('bbbb'), answers)).toBe('queued');
    expect(lane.push(notifications, frame('c'), answers)).toBe('overflow');
    expect(drain(lane)).toEqual(['aaaa', 'bbbb']);
    expect(lane.push(notifications, frame('dddd'), answers)).toBe('queued');
  });

  it('keeps only the newest frame of a stream with policy conflate, in the place of the first', () => {
    const lane = new SlowLane(0);
    const balance = subscription('b/u/a', 'conflate', 10);
    const other = subscription('n/u/a', 'queue', 100);
    lane.push(balance, frame('b1'), answers);
    lane.push(other, frame('n1'), answers);
    expect(lane.push(balance, frame('b2'), answers)).toBe('conflated');
    expect(lane.length).toBe(2);
    expect(drain(lane)).toEqual(['b2', 'n1']);
    expect(lane.push(balance, frame('b3'), answers)).toBe('queued');
  });

  it('makes room by dropping the oldest of the same topic only with policy drop-oldest', () => {
    const lane = new SlowLane(0);
    const ticks = subscription('t/u/a', 'drop-oldest', 4);
    const other = subscription('n/u/a', 'queue', 100);
    lane.push(other, frame('n1'), answers);
    lane.push(ticks, frame('t1'), answers);
    lane.push(ticks, frame('t2'), answers);
    expect(lane.push(ticks, frame('t3'), answers)).toBe('dropped_oldest');
    expect(drain(lane)).toEqual(['n1', 't2', 't3']);
  });

  it('lets a single frame pass that is larger than the bound', () => {
    const lane = new SlowLane(0);
    expect(lane.push(subscription('t/u/a', 'drop-oldest', 4), frame('too long'), answers)).toBe('queued');
    expect(lane.push(null, Buffer.alloc(2000), answers)).toBe('queued');
    expect(lane.push(null, frame('x'), answers)).toBe('overflow');
  });

  it('forgets its own past while a long backlog moves through it', () => {
    const lane = new SlowLane(0);
    const notifications = subscription('n/u/a', 'queue', 1_000_000);
    for (let at = 0; at < 1000; at++) lane.push(notifications, frame(String(at)), answers);
    expect(drain(lane)).toEqual(Array.from({ length: 1000 }, (_, at) => String(at)));
    expect(lane.length).toBe(0);
  });

  // Fails when dropping looks for the oldest from the front each time: it took 38 % of a node with 50 such lanes.
  it('drops the oldest as fast behind a million dropped ones as behind none, and keeps no trace of them', () => {
    const lane = new SlowLane(0);
    const ticks = subscription('t/u/a', 'drop-oldest', 2);
    const one = frame('t');
    for (let at = 0; at < 1_000_000; at++) lane.push(ticks, one, answers);
    lane.push(ticks, frame('u'), answers);
    expect(drain(lane)).toEqual(['t', 'u']);
  });

  it('keeps the order of what it holds for several topics, also when the oldest of one is dropped', () => {
    const lane = new SlowLane(0);
    const ticks = subscription('t/u/a', 'drop-oldest', 4);
    const other = subscription('n/u/a', 'queue', 100);
    for (const text of ['t1', 't2']) lane.push(ticks, frame(text), answers);
    lane.push(other, frame('n1'), answers);
    lane.push(ticks, frame('t3'), answers);
    lane.push(null, frame('a1'), answers);
    lane.push(ticks, frame('t4'), answers);
    expect(drain(lane)).toEqual(['n1', 't3', 'a1', 't4']);
  });
});
