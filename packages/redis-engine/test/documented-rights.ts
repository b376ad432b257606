import { readFileSync } from 'node:fs';

const DOCS = new URL('../../../docs/operations-redis-kafka.md', import.meta.url);

/** What an ACL rule of the documentation has behind its password: the one that has this in it. */
export function rightsIn(word: string): string {
  const rules = readFileSync(DOCS, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('user gateway on '));
  return /^user gateway on >\S+ (.*)$/.exec(rules.find((rule) => rule.includes(word))!)![1]!;
}
