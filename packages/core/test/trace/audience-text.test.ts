import { expect, test } from '@jest/globals';
import type { PublishItem } from '../../src/engine.js';
import { audienceText } from '../../src/trace/audience-text.js';

const base = { sourceOffset: 0, recordTimeMs: 0, head: '', retention: null };
const toUser = (user: string): PublishItem => ({ ...base, kind: 'user', topic: 'news', user });
const toStream = (stream: string) => ({ ...base, kind: 'channel', stream }) as unknown as PublishItem;

test.each([
  ['user:u1', [toUser('u1')]],
  ['users:u1,off', [toUser('u1'), toUser('off')]],
  ['user:u1', [toUser('u1'), toUser('u1')]],
  ['users:a,b,c and 2 more', ['a', 'b', 'c', 'd', 'e'].map(toUser)],
  ['topic', [toStream('news/*')]],
  ['key:k/1', [toStream('quotes/k/k/1')]],
  ['room:lobby', [toStream('room/lobby')]],
  ['hub:main', [toStream('hub/main')]],
  ['subscriptions:x,y', [toStream('sub/x'), toStream('sub/y')]],
])('an audience reads as the header ws-audience would say it: %s', (text, items) => {
  expect(audienceText(items, 3)).toBe(text);
});

test('an audience names all its users when no number bounds them', () => {
  expect(audienceText(['a', 'b', 'c', 'd'].map(toUser))).toBe('users:a,b,c,d');
});
