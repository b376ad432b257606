import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { keyKinds } from '../src/keys.js';
import { loadScripts } from '../src/scripts.js';

const folder = new URL('../scripts/', import.meta.url);
const files = readdirSync(folder).filter((file) => file.endsWith('.lua'));

function numbers(text: string, pattern: RegExp): number[] {
  return [...new Set(Array.from(text.matchAll(pattern), ([, number]) => Number(number)))].sort((a, b) => a - b);
}

describe('scripts', () => {
  it.each(files)('%s says in its header what it uses', (file) => {
    const source = readFileSync(new URL(file, folder), 'utf8');
    const lines = source.split('\n');
    const end = lines.findIndex((line) => !line.startsWith('--'));
    const [header, code] = [lines.slice(0, end).join('\n'), lines.slice(end).join('\n')];
    const keys = numbers(header, /^-- KEYS\[(\d+)\]/gm);
    const args = numbers(header, /^-- ARGV\[(\d+)\]/gm);
    const keyCount = Number(/-(\d+)\.lua$/.exec(file)![1]);
    expect(keys).toEqual(Array.from({ length: keyCount }, (_, i) => i + 1));
    expect(numbers(code, /KEYS\[(\d+)\]/g)).toEqual(keys);
    expect(numbers(code, /ARGV\[(\d+)\]/g)).toEqual(args);
    expect(header).toMatch(/^-- Returns /m);
    const errors = Array.from(code.matchAll(/error_reply\('([A-Z_]+)/g), ([, word]) => word);
    for (const word of errors) expect(header).toMatch(new RegExp(`^-- Errors: .*${word}`, 'm'));
  });

  // The check of an inbox failed in Redis 7.0 (later ones read -0) while nothing new was in it, and with it the lease.
  it.each(files)('%s adds nothing that it has negated, for the negative of 0 is -0', (file) => {
    const source = readFileSync(new URL(file, folder), 'utf8');
    expect(source).not.toMatch(/(?:INCR|DECR)BY'[^\n]*,\s*-\s*[A-Za-z]/);
  });

  it('are all known by name and number of keys', () => {
    const known = Array.from(loadScripts({ isCluster: true }), ([name, { keys }]) => `${name}-${keys}.lua`);
    expect(known.sort()).toEqual(files.sort());
  });

  it('spell no key themselves', () => {
    const kinds = Object.values(keyKinds).filter((kind) => kind.endsWith(':'));
    for (const file of files) {
      const source = readFileSync(new URL(file, folder), 'utf8');
      for (const kind of kinds) expect(source).not.toContain(`'${kind}`);
    }
  });
});
