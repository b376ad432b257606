import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { TEST_SECRET } from '@ws-gateway/testkit';
import { run } from '../cli/running.js';
import { exampleFile } from './example.js';

const FOLDER = fileURLToPath(new URL('../../../../examples/', import.meta.url));
const names = readdirSync(FOLDER, { withFileTypes: true }).flatMap((entry) =>
  entry.isDirectory() ? [entry.name] : [],
);

describe.each(names)('examples/%s', (name) => {
  it('is complete, says how to use it, and keeps its secret out of the file', async () => {
    expect(existsSync(`${FOLDER}${name}/README.md`)).toBe(true);
    const env = { JWT_SECRET: TEST_SECRET };
    const checked = await run(['config', 'check', '-c', exampleFile(name)], { env });
    expect([checked.code, checked.stderr]).toEqual([0, '']);
    const refused = await run(['serve', '-c', exampleFile(name)]);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('auth.secret: missing');
  });

  it('has a test that speaks to it', () => {
    expect(existsSync(fileURLToPath(new URL(`./${name}.integration.test.ts`, import.meta.url)))).toBe(true);
  });
});
