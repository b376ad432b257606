import { existsSync, readFileSync } from 'node:fs';
import { expect, it } from '@jest/globals';
import { load } from '../config/loading.js';

const ROOT = new URL('../../../../', import.meta.url);
const text = readFileSync(new URL('docs/security.md', ROOT), 'utf8');
const quoted = Array.from(text.matchAll(/`([^`]+)`/g), ([, words]) => words!);

it('docs/security.md names tests that are there', () => {
  const tests = quoted.filter((words) => words.endsWith('.test.ts'));
  expect(tests.length).toBeGreaterThan(30);
  expect(tests.filter((file) => !existsSync(new URL(file, ROOT)))).toEqual([]);
});

it('docs/security.md names settings that are there', () => {
  const known = settingsOf(load('').tree);
  const named = quoted.filter((words) =>
    /^(server|limits|auth|grpc|admin|kafka|redis|sessions|metrics|backends)\.\w/.test(words),
  );
  const keys = named.map((words) => words.split(':')[0]!);
  expect(keys.length).toBeGreaterThan(20);
  expect(keys.filter((key) => !known.has(key))).toEqual([]);
});

/** Lists the paths of all settings, groups as well as keys. */
function settingsOf(tree: object, path = ''): Set<string> {
  const known = new Set<string>();
  for (const [name, value] of Object.entries(tree)) {
    const own = path === '' ? name : `${path}.${name}`;
    known.add(own);
    if (typeof value === 'object' && value !== null) for (const below of settingsOf(value, own)) known.add(below);
  }
  return known;
}
