import type { Command } from 'commander';
import { AdminClient, adminTokenOption, urlOption, type AdminFlags } from './admin-client.js';
import { configOption } from './configured.js';
import { print, printJson } from './output.js';
import { userOption } from './token.js';

export function registerUnblock(program: Command): void {
  program
    .command('unblock')
    .description('let a blocked user in again')
    .argument('<user>', 'user id', userOption)
    .option(...urlOption)
    .option(...adminTokenOption)
    .option(...configOption)
    .option('--json', 'as JSON: {"user","blocked"}')
    .addHelpText('after', '\nExample:\n  $ ws-gateway unblock u1')
    .action(unblock);
}

async function unblock(user: string, flags: AdminFlags): Promise<void> {
  const answer = await new AdminClient(flags).call('DELETE', `/api/blocks/${encodeURIComponent(user)}`);
  if (flags.json) printJson(answer);
  else print(`${user} is not blocked`);
}
