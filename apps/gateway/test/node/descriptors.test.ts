import { describe, expect, it } from '@jest/globals';
import type { Logger } from '@ws-gateway/core';
import { connectionsMax, descriptorLimit, DescriptorWatch, warnOfFewDescriptors } from '../../src/node/descriptors.js';

function warnings(): { logger: Logger; lines: string[] } {
  const lines: string[] = [];
  const logger: Logger = {
    error: () => undefined,
    warn: (message) => void lines.push(message),
    info: () => undefined,
    debug: () => undefined,
    child: () => logger,
  };
  return { logger, lines };
}

describe('the limit of connections', () => {
  it.each([
    [500, 20_000, 500],
    [0, 20_000, 17_936],
    [0, 1024, 857],
    [0, 70, 1],
    [0, null, 0],
  ])('is what is configured, else what the descriptors leave: %s of %s', (configured, hard, expected) => {
    expect(connectionsMax(configured, hard)).toBe(expected);
  });

  it('is read from this process', () => {
    expect(descriptorLimit()).toBeGreaterThan(100);
  });

  it.each([
    [4095, 1],
    [4096, 0],
    [null, 0],
  ])('is warned of when a process may have few descriptors: %s', (hard, count) => {
    const { logger, lines } = warnings();
    warnOfFewDescriptors(hard, logger);
    expect(lines).toHaveLength(count);
  });
});

describe('the watch over descriptors', () => {
  it('is content while there are some, and gives back what it kept', () => {
    const { logger, lines } = warnings();
    const watch = new DescriptorWatch(logger);
    watch.start(() => lines.push('changed'));
    expect([watch.isExhausted, lines]).toEqual([false, []]);
    watch.stop();
  });
});
