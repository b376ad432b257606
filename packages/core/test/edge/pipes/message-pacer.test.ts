import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Connection } from '../../../src/edge/delivery/connection.js';
import { MessagePacer } from '../../../src/edge/pipes/message-pacer.js';

const [ann, bob] = [{ id: 'ann' }, { id: 'bob' }] as unknown as [Connection, Connection];

let passed: string[];
let held: number;

beforeEach(() => {
  jest.useFakeTimers();
  passed = [];
  held = 0;
});
afterEach(() => {
  jest.useRealTimers();
});

function pacer(requestsPerSecond: number, requestBytesPerSecond = 0): MessagePacer {
  return new MessagePacer({
    rate: { requestsPerSecond, requestBytesPerSecond },
    forward: (connection, message) => passed.push(`${connection.id} ${message}`),
    onHeld: (_, bytes) => (held += bytes),
  });
}

function say(paced: MessagePacer, connection: Connection, count: number): void {
  for (let n = 0; n < count; n++) paced.take(connection, String(n));
}

describe('messages over the rate of a connection', () => {
  it('wait for their turn, and go in order, at the rate', () => {
    const paced = pacer(10);
    say(paced, ann, 25);
    expect(passed).toHaveLength(10);
    jest.advanceTimersByTime(500);
    expect(passed).toHaveLength(15);
    paced.take(ann, 'last');
    jest.advanceTimersByTime(2000);
    expect(passed).toEqual([...Array.from({ length: 25 }, (_, n) => `ann ${n}`), 'ann last']);
    expect(held).toBe(0);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('cost nobody else anything', () => {
    const paced = pacer(10);
    say(paced, ann, 100);
    say(paced, bob, 10);
    expect(passed.filter((text) => text.startsWith('bob'))).toHaveLength(10);
  });

  it('may be so many bytes and no more', () => {
    const paced = pacer(1);
    const message = 'x'.repeat(64 * 1024);
    expect([1, 2, 3, 4, 5, 6].map(() => paced.take(ann, message))).toEqual([true, true, true, true, true, false]);
    expect(held).toBe(256 * 1024);
    paced.drop(ann);
    expect(held).toBe(0);
    jest.advanceTimersByTime(5000);
    expect(passed).toHaveLength(1);
    expect(jest.getTimerCount()).toBe(0);
  });

  // Only their number was paced: 50 messages of 64 kB a second were ten times the bytes that the limit names.
  it('are counted in bytes as well', () => {
    const paced = pacer(0, 1000);
    for (let n = 0; n < 20; n++) paced.take(ann, String(n).padEnd(100, '.'));
    expect(passed).toHaveLength(10);
    jest.advanceTimersByTime(500);
    expect(passed).toHaveLength(15);
    jest.advanceTimersByTime(500);
    expect(passed.map((text) => Number.parseInt(text.slice(4), 10))).toEqual([...Array(20).keys()]);
    expect([held, jest.getTimerCount()]).toEqual([0, 0]);
  });

  it('pass after a pause and wait behind others though one of them is larger than the bytes of a second', () => {
    const paced = pacer(50, 100_000);
    const large = 'x'.repeat(300_000);
    expect([paced.take(ann, large), paced.take(ann, large), paced.take(ann, large)]).toEqual([true, true, false]);
    expect(passed).toHaveLength(1);
    jest.advanceTimersByTime(2500);
    expect(passed).toHaveLength(2);
  });

  it('go all at once when their connection has ended: it said them before', () => {
    const paced = pacer(5);
    say(paced, ann, 9);
    paced.flush(ann);
    expect(passed).toHaveLength(9);
    expect(held).toBe(0);
  });

  it('are not held where there is no limit', () => {
    say(pacer(0), ann, 1000);
    expect(passed).toHaveLength(1000);
  });
});
