import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { build, ROOT, run } from './toolchain.mjs';

const REPORT = join(ROOT, '.cache', 'jest-report.json');
const NODE_OPTIONS = '--experimental-vm-modules --disable-warning=ExperimentalWarning';

/** Runs the whole suite, or what a pattern picks. The last line is always `N passed, N failed`. */
export async function test(args) {
  const { passed, failed } = await runAll(args);
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

async function runAll(args) {
  try {
    await build();
  } catch (error) {
    console.log(error.message);
    return { passed: 0, failed: 1 };
  }
  mkdirSync(join(ROOT, '.cache'), { recursive: true });
  rmSync(REPORT, { force: true });
  const { code } = await run('jest', ['--json', `--outputFile=${REPORT}`, ...args], { env: { NODE_OPTIONS } });
  return count(code);
}

function count(code) {
  if (!existsSync(REPORT)) {
    console.log('the run itself failed: jest ended without a report');
    return { passed: 0, failed: 1 };
  }
  const report = JSON.parse(readFileSync(REPORT, 'utf8'));
  const notRun = report.testResults.flatMap(({ name, assertionResults }) =>
    assertionResults
      .filter(({ status }) => status !== 'passed' && status !== 'failed')
      .map(({ fullName, status }) => `${status}: ${relative(ROOT, name)}: ${fullName}`),
  );
  for (const line of notRun) console.log(line);
  // A file that could not be loaded has no tests to count, and yet something is wrong with it.
  let failed = report.numFailedTests + report.numRuntimeErrorTestSuites;
  if (notRun.length > 0 && process.env.CI) {
    console.log(`${notRun.length} tests did not run; in CI that is a failure`);
    failed += notRun.length;
  }
  // No test matched, the set-up or the tear-down failed, a threshold was missed: jest says so above.
  if (code !== 0 && failed === 0) failed = 1;
  return { passed: report.numPassedTests, failed };
}
