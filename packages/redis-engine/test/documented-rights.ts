import { readFileSync } from 'node:fs';

const DOCS = new URL('../../../docs/operations-redis-kafka.md', import.meta.url);

/** What an ACL rule of the documentation has behind its password: the one that has this in it. */
export function rightsIn(word: string): string {
  return /^user gateway on >\S+ (.*)$/.exec(lineWith('user gateway on ', word))![1]!;
}

/** The rights that are documented beside those, in a line that begins like this. */
export function rightsFrom(first: string): string {
  return lineWith(first, first);
}

function lineWith(first: string, word: string): string {
  const lines = readFileSync(DOCS, 'utf8').split('\n');
  return lines.find((line) => line.startsWith(first) && line.includes(word))!;
}
