import { LocalServersError } from './errors.js';
import { runCommand } from './program.js';

const FETCH_TIMEOUT_MS = 240_000;

/** Names under which a machine may have pip. */
const PIPS = [['python3', '-m', 'pip'], ['python', '-m', 'pip'], ['pip3'], ['pip']] as const;

/** Installs ready-built Python packages into a folder of their own. `failed` is the beginning of what people are told when that does not work. */
export async function pipInstall(folder: string, args: readonly string[], failed: string): Promise<void> {
  const install = ['install', '--quiet', '--only-binary', ':all:', '--target', folder, ...args];
  let problem = 'there is no pip';
  for (const [command, ...rest] of PIPS) {
    const { ok, output } = await runCommand(command, [...rest, ...install], { timeoutMs: FETCH_TIMEOUT_MS });
    if (ok) return;
    if (!/ENOENT|No module named pip/.test(output)) problem = output.trim().split('\n').at(-1) ?? problem;
  }
  throw new LocalServersError('not_available', `${failed}: ${problem}`);
}
