import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { SilenceWatch } from '../src/silence.js';

const HEARTBEAT = 1000;
let watch: SilenceWatch;
let answer: Promise<unknown>;
const ask = jest.fn((_timeoutMs: number) => answer);
const dead = jest.fn();

beforeEach(() => {
  jest.useFakeTimers();
  ask.mockClear();
  dead.mockClear();
  answer = Promise.resolve();
  watch = new SilenceWatch({ ask, dead });
});
afterEach(() => {
  watch.stop();
  jest.useRealTimers();
});

describe('a silent connection', () => {
  it('is asked after one and a half heartbeats without a frame, not before', async () => {
    watch.start(HEARTBEAT);
    await jest.advanceTimersByTimeAsync(1000);
    watch.heard();
    await jest.advanceTimersByTimeAsync(1499);
    expect(ask).not.toHaveBeenCalled();
    await jest.advanceTimersByTimeAsync(1);
    expect(ask).toHaveBeenCalledWith(HEARTBEAT);
  });

  it('is dead when it does not answer', async () => {
    answer = Promise.reject(new Error('timeout'));
    watch.start(HEARTBEAT);
    await jest.advanceTimersByTimeAsync(1500);
    expect(dead).toHaveBeenCalledTimes(1);
  });

  it('lives when it answers, and is asked again one and a half heartbeats later', async () => {
    watch.start(HEARTBEAT);
    for (let round = 1; round <= 3; round++) {
      ask.mockImplementationOnce(() => {
        watch.heard();
        return Promise.resolve();
      });
      await jest.advanceTimersByTimeAsync(1500);
      expect(ask).toHaveBeenCalledTimes(round);
    }
    expect(dead).not.toHaveBeenCalled();
  });

  it('lives when anything at all is heard while it is asked, even a refusal', async () => {
    watch.start(HEARTBEAT);
    ask.mockImplementationOnce(async () => {
      await new Promise((resolve) => setTimeout(resolve, 10));
      watch.heard();
      throw new Error('unknown_command');
    });
    await jest.advanceTimersByTimeAsync(2010);
    expect(dead).not.toHaveBeenCalled();
  });

  it('is another one by the time the answer fails: it is left alone', async () => {
    let fail: (error: Error) => void = () => undefined;
    answer = new Promise((_resolve, reject) => (fail = reject));
    watch.start(HEARTBEAT);
    await jest.advanceTimersByTimeAsync(2000);
    watch.start(HEARTBEAT);
    fail(new Error('disconnected'));
    await jest.advanceTimersByTimeAsync(0);
    expect(dead).not.toHaveBeenCalled();
  });

  it('is not watched when the gateway has no heartbeat', async () => {
    watch.start(0);
    await jest.advanceTimersByTimeAsync(3_600_000);
    expect(ask).not.toHaveBeenCalled();
  });

  it('is asked at once when there is a reason to doubt it, heartbeat or not', async () => {
    for (const heartbeatMs of [HEARTBEAT, 0]) {
      watch.start(heartbeatMs);
      answer = Promise.reject(new Error('timeout'));
      await watch.probe();
      expect(ask).toHaveBeenLastCalledWith(heartbeatMs === 0 ? 5000 : HEARTBEAT);
    }
    expect(dead).toHaveBeenCalledTimes(2);
  });

  it('is asked once at a time', async () => {
    watch.start(HEARTBEAT);
    answer = new Promise(() => undefined);
    void watch.probe();
    void watch.probe();
    await jest.advanceTimersByTimeAsync(5000);
    expect(ask).toHaveBeenCalledTimes(1);
  });
});
