import type { Command } from 'commander';
import { AdminClient, adminTokenOption, urlOption, type AdminFlags } from './admin-client.js';
import { configOption } from './configured.js';
import { badUsage } from './exit.js';
import { print, printJson } from './output.js';
import { durationOption, userOption } from './token.js';

interface BlockFlags extends AdminFlags {
  readonly reason?: string;
  readonly ttl?: number;
  readonly expiresAt?: string;
}

interface Block {
  readonly user: string;
  readonly reason: string;
  readonly expires_at: string | null;
}

const EXAMPLES = `
Examples:
  $ ws-gateway block u1 --reason fraud
  $ ws-gateway block u1 --ttl 24h --url http://gateway:8080`;

export function registerBlock(program: Command): void {
  program
    .command('block')
    .description('close all connections of a user and let no new one in')
    .argument('<user>', 'user id', userOption)
    .option('--reason <text>', 'told to the user')
    .option('--ttl <duration>', 'for how long, such as 24h (default: until unblocked)', durationOption)
    .option('--expires-at <time>', 'until when, RFC 3339, such as 2030-01-01T00:00:00Z')
    .option(...urlOption)
    .option(...adminTokenOption)
    .option(...configOption)
    .option('--json', 'as JSON: {"user","blocked","reason","expires_at"}')
    .addHelpText('after', EXAMPLES)
    .action(block);
}

async function block(user: string, flags: BlockFlags): Promise<void> {
  const { reason, ttl } = flags;
  if (ttl !== undefined && flags.expiresAt !== undefined) throw badUsage('--ttl and --expires-at exclude each other');
  if (ttl === 0) throw badUsage('--ttl: 0 is no time');
  const expiresAt = ttl === undefined ? flags.expiresAt : new Date(Date.now() + ttl).toISOString();
  const body = JSON.stringify({ reason, expires_at: expiresAt });
  const answer = await new AdminClient(flags).call<Block>('POST', `/api/blocks/${encodeURIComponent(user)}`, body);
  if (flags.json) return printJson(answer);
  print(`${answer.user} is blocked ${answer.expires_at === null ? 'until unblocked' : `until ${answer.expires_at}`}`);
}
