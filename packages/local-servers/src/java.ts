import { join } from 'node:path';
import { LocalServersError } from './errors.js';
import { runCommand } from './program.js';

const JAVA_VERSION_MIN = 17;
const TIMEOUT_MS = 20_000;

export interface Java {
  readonly command: string;
  /** Version as the JVM names it, such as 17.0.15. */
  readonly version: string;
}

/** Finds the JVM of JAVA_HOME, else the one on the PATH. */
export async function findJava(): Promise<Java> {
  const home = process.env['JAVA_HOME'];
  const candidates = home ? [join(home, 'bin', 'java'), 'java'] : ['java'];
  const found: string[] = [];
  for (const command of candidates) {
    const { ok, output } = await runCommand(command, ['-version'], { timeoutMs: TIMEOUT_MS });
    const version = ok ? /version "([^"]+)"/.exec(output)?.[1] : undefined;
    if (version === undefined) continue;
    if (majorVersion(version) >= JAVA_VERSION_MIN) return { command, version };
    found.push(version);
  }
  const what = found.length === 0 ? 'no Java' : `Java ${found.join(' and ')} only`;
  throw new LocalServersError('not_available', `there is ${what}; Kafka needs Java ${JAVA_VERSION_MIN} or newer`);
}

/** Reads the major version: "17.0.15" and "21" begin with it; before 9 it was "1.8.0_292". */
function majorVersion(version: string): number {
  const [first, second] = version.split(/[._-]/).map(Number);
  return first === 1 ? (second ?? 0) : (first ?? 0);
}
