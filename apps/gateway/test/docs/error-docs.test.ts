import { readFileSync } from 'node:fs';
import { closeCodes, refusalStatuses } from '@ws-gateway/core';
import { describe, expect, test } from '@jest/globals';
import { errorDocs } from '../../src/docs/error-docs.js';

const file = readFileSync(new URL('../../../../docs/errors.md', import.meta.url), 'utf8');

describe('docs/errors.md', () => {
  test('is what the code says (`npm run docs` writes it)', () => {
    expect(file).toBe(errorDocs());
  });

  test('has each code in its number, with what to do about it', () => {
    for (const [code, status] of Object.entries(refusalStatuses)) {
      expect(file).toMatch(new RegExp(`^\\| ${status} \`${code}\` \\| .+ \\| .+ \\|$`, 'm'));
    }
    for (const [name, code] of Object.entries(closeCodes)) {
      const reconnect = code < 4500 ? 'yes' : 'no';
      expect(file).toMatch(new RegExp(`^\\| ${code} \`${name}\` \\| ${reconnect} \\| .+ \\| .+ \\|$`, 'm'));
    }
  });
});
