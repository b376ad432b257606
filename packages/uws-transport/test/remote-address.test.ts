import { expect, it } from '@jest/globals';
import { addressText } from '../src/remote-address.js';

function binary(...bytes: number[]): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}

it('writes addresses as others write them', () => {
  expect(addressText(binary(127, 0, 0, 1))).toBe('127.0.0.1');
  expect(addressText(binary(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 1, 2, 3))).toBe('10.1.2.3');
  expect(addressText(binary(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1))).toBe('::1');
  expect(addressText(binary(0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xab, 0xcd))).toBe('2001:db8::abcd');
});

it('has nothing to say about a peer that is gone', () => {
  expect(addressText(binary())).toBe('');
});
