import type { Command } from 'commander';
import { AdminClient, adminTokenOption, counted, urlOption, type AdminFlags } from './admin-client.js';
import { configOption } from './configured.js';
import { print, printJson } from './output.js';
import { userOption } from './token.js';

export function registerDisconnect(program: Command): void {
  program
    .command('disconnect')
    .description('close all connections of a user (4504); the user may come back, unlike with `block`')
    .argument('<user>', 'user id', userOption)
    .option(...urlOption)
    .option(...adminTokenOption)
    .option(...configOption)
    .option('--json', 'as JSON: {"closed"}')
    .addHelpText('after', '\nExample:\n  $ ws-gateway disconnect u1 --url http://gateway:8080')
    .action(disconnect);
}

async function disconnect(user: string, flags: AdminFlags): Promise<void> {
  const path = `/api/connections?user=${encodeURIComponent(user)}`;
  const answer = await new AdminClient(flags).call<{ closed: number }>('DELETE', path);
  if (flags.json) printJson(answer);
  else print(answer.closed === 0 ? `${user} is not connected` : `${counted(answer.closed, 'connection')} closed`);
}
