import type { Command } from 'commander';
import { AdminClient, adminTokenOption, urlOption, type AdminFlags } from './admin-client.js';
import { configOption } from './configured.js';
import { print, printJson } from './output.js';

const EXAMPLES = `
Example:
  $ ws-gateway drain gateway-0-1a2b3c4d --url http://gateway:8080
The process ends with 0 as after SIGTERM; its supervisor decides whether another one starts.`;

export function registerDrain(program: Command): void {
  program
    .command('drain')
    .description('let a node go: its clients are sent to others, then it ends')
    .argument('<node>', 'name of the node, as `ws-gateway status` shows it')
    .option(...urlOption)
    .option(...adminTokenOption)
    .option(...configOption)
    .option('--json', 'as JSON: {"node","draining"}')
    .addHelpText('after', EXAMPLES)
    .action(drain);
}

async function drain(node: string, flags: AdminFlags): Promise<void> {
  const answer = await new AdminClient(flags).call('POST', `/api/nodes/${encodeURIComponent(node)}/drain`);
  if (flags.json) printJson(answer);
  else print(`${node} drains`);
}
