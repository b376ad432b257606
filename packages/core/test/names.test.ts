import { describe, expect, it } from '@jest/globals';
import { cutReason, isName, isUserId } from '../src/index.js';

describe('names', () => {
  it('accepts letters, digits, dot, underscore and hyphen up to 128 characters', () => {
    expect(isName('balance-updates')).toBe(true);
    expect(isName('a'.repeat(128))).toBe(true);
    for (const bad of ['', 'a'.repeat(129), 'a b', 'ä', 'a/b', 'a\n']) expect(isName(bad)).toBe(false);
  });

  it('accepts any user id of 1 to 128 characters without control characters', () => {
    for (const good of ['u1', 'ann lee', 'jörg', '😀'.repeat(128), '"quoted"']) expect(isUserId(good)).toBe(true);
    for (const bad of ['', '😀'.repeat(129), 'a\nb', 'a\u007f', 'a\u0085b', '\ud800'])
      expect(isUserId(bad)).toBe(false);
  });

  it('cuts a close reason at a character boundary within 123 bytes', () => {
    expect(cutReason('é'.repeat(100))).toBe('é'.repeat(61));
    expect(cutReason('short')).toBe('short');
  });
});
