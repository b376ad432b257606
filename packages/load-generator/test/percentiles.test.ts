import { expect, test } from '@jest/globals';
import { percentilesOf } from '../src/percentiles.js';

test('percentiles are samples that were taken, whatever their order', () => {
  const samples = Float64Array.from({ length: 1000 }, (_, i) => 1000 - i);
  expect(percentilesOf(samples)).toEqual({
    count: 1000,
    mean: 500.5,
    p50: 500,
    p90: 900,
    p99: 990,
    p999: 999,
    max: 1000,
  });
});

test('the one sample there is stands for all percentiles', () => {
  expect(percentilesOf(Float64Array.of(7))).toMatchObject({ p50: 7, p99: 7, max: 7 });
});

test('nothing can be said without samples', () => {
  expect(percentilesOf(new Float64Array(0))).toMatchObject({ count: 0, p50: NaN, p99: NaN });
});
