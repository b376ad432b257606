import { describe, expect, test } from '@jest/globals';
import { mergeLive } from '../../src/config/language/live-merge.js';
import { schema } from '../../src/config/schema/schema.js';
import { loadWithSecret } from './loading.js';

function merged(before: string, after: string) {
  return mergeLive(schema, loadWithSecret(before).tree, loadWithSecret(after).tree);
}

describe('a configuration that is read again', () => {
  test('gives live keys their new values and names the others', () => {
    const { tree, changed, waiting } = merged(
      'logger: {level: info}\nserver: {port: 1000}\ntopics: {orders: {slow: queue, guests: false}}',
      'logger: {level: debug}\nserver: {port: 2000}\ntopics: {orders: {slow: conflate, guests: true}}',
    );
    expect(changed).toEqual(['topics.orders.slow', 'logger.level']);
    expect(waiting).toEqual(['server.port', 'topics.orders.guests']);
    expect(tree).toMatchObject({
      logger: { level: 'debug' },
      server: { port: 1000 },
      topics: { orders: { slow: 'conflate', guests: false } },
    });
  });

  test.each([
    ['topics: {a: {}}', 'topics: {b: {}}', ['topics.b', 'topics.a']],
    ['hubs: [{name: a}]', 'hubs: [{name: a}, {name: b}]', ['hubs']],
    ['logger: {loki: {labels: {a: x}}}', 'logger: {loki: {labels: {a: y}}}', ['logger.loki.labels']],
  ])('entries that come or go wait for a restart: %s, %s', (before, after, waiting) => {
    const result = merged(before, after);
    expect(result).toMatchObject({ changed: [], waiting });
    expect(result.tree).toEqual(loadWithSecret(before).tree);
  });

  test('that says the same changes nothing', () => {
    expect(merged('server: {port: 1}', 'server: {port: 1} # again')).toMatchObject({ changed: [], waiting: [] });
  });
});
