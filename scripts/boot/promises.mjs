import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { ROOT } from './toolchain.mjs';

/** Programs that a rejection without a handler would end. Tests are to end by one. */
const SOURCES = ['apps/*/src/*.ts', 'packages/*/src/*.ts'];
const OTHERS = /^packages\/(client|react|testkit|conformance)\//;

/** The linter sees `void promise` as a statement only; as the body of an arrow function it looks like any expression. */
const VOID_BODY = /=> void \(?(?:await )?[\w#.?()[\]]+\(/;
/** Handled, or a method of the language that gives no promise. */
const HARMLESS = /\.catch\(|\.(?:push|add|set|delete|write|emit|unshift|resolve)\(|=> void \(await /;

/** No promise without a handler: finds arrow functions that throw one away. */
export async function checkPromises() {
  const files = execFileSync('git', ['ls-files', ...SOURCES], { cwd: ROOT, encoding: 'utf8' })
    .trim()
    .split('\n');
  let found = 0;
  for (const file of files.filter((name) => !OTHERS.test(name))) {
    const lines = readFileSync(`${ROOT}/${file}`, 'utf8').split('\n');
    for (const [at, line] of lines.entries()) {
      if (!VOID_BODY.test(line) || HARMLESS.test(line)) continue;
      console.log(`${file}:${at + 1}: a promise without a handler: ${line.trim()}`);
      found++;
    }
  }
  return { code: found === 0 ? 0 : 1 };
}
