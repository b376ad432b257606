import { expect, test } from '@jest/globals';
import { withoutEffect } from '../../src/node/without-effect.js';
import { loadWithSecret } from '../config/loading.js';

test('a time for HTTP answers that cannot be had is named, the one that applies is not', () => {
  expect(withoutEffect(loadWithSecret('server: {writeTimeout: 10s}').config)).toEqual([]);
  expect(withoutEffect(loadWithSecret('server: {writeTimeout: 20s}').config)).toEqual([]);
  const ending = loadWithSecret('server: {writeTimeout: 20s, proxyProtocol: true}');
  expect(withoutEffect(ending.config)).toEqual(['server.writeTimeout']);
});

test('Loki has an effect', () => {
  expect(withoutEffect(loadWithSecret('logger: {loki: {url: "http://loki:3100/push"}}').config)).toEqual([]);
});
