import type { Command } from 'commander';
import { checkup, type Diagnosis } from '../probes/checkup.js';
import { configOption, configured, type ConfigFlags } from './configured.js';
import { CliError, exitCodes } from './exit.js';
import { print, printJson, styled } from './output.js';
import { aligned } from './table.js';

interface DoctorFlags extends ConfigFlags {
  readonly json?: true;
}

export function registerDoctor(program: Command): void {
  program
    .command('doctor')
    .description('try everything a node needs: servers, logins, topics, clocks, limits; exit code 1 on a fault')
    .option(...configOption)
    .option('--json', 'as JSON: {"checks":[{"check","state","detail"}]}')
    .addHelpText('after', '\nExample:\n  $ JWT_SECRET=… ws-gateway doctor -c config.yaml')
    .action(doctor);
}

async function doctor(flags: DoctorFlags): Promise<void> {
  const checks = await checkup(configured(flags, 'serve'));
  if (flags.json) printJson({ checks });
  else printTable(checks);
  const faults = checks.filter(({ state }) => state === 'fault').length;
  if (faults > 0) throw new CliError(exitCodes.failure, `${faults} of ${checks.length} checks failed`);
}

function printTable(checks: readonly Diagnosis[]): void {
  const rows = checks.map(({ check, state, detail }) => [check, state, detail]);
  const [head, ...lines] = aligned([['CHECK', 'STATE', 'DETAIL'], ...rows], () => false);
  print(styled('bold', head!));
  const styles = { ok: 'green', warning: 'yellow', fault: 'red' } as const;
  for (const [at, line] of lines.entries()) print(styled(styles[checks[at]!.state], line));
}
