import type { Command } from 'commander';
import { AdminClient, adminTokenOption, urlOption, type AdminFlags } from './admin-client.js';
import { configOption } from './configured.js';
import { badUsage } from './exit.js';
import { print, printJson } from './output.js';
import { userOption } from './token.js';

interface RevokeFlags extends AdminFlags {
  readonly jti?: string;
  readonly user?: string;
  readonly issuedBefore?: string;
  readonly expiresAt?: string;
}

const EXAMPLES = `
Examples:
  $ ws-gateway revoke --jti 8f14e45f
  $ ws-gateway revoke --user u1 --issued-before 2030-01-01T00:00:00Z`;

export function registerRevoke(program: Command): void {
  program
    .command('revoke')
    .description('take tokens back: sockets that came with one close (4504), and none comes in again')
    .option('--jti <id>', 'one token, by its claim jti')
    .option('--user <id>', 'all tokens of a user up to now', userOption)
    .option('--issued-before <time>', 'with --user: only those issued before, RFC 3339')
    .option('--expires-at <time>', 'when it may be forgotten (default: in 30 days)')
    .option(...urlOption)
    .option(...adminTokenOption)
    .option(...configOption)
    .option('--json', 'as JSON: {"revoked","expires_at"}')
    .addHelpText('after', EXAMPLES)
    .action(revoke);
}

async function revoke(flags: RevokeFlags): Promise<void> {
  const { jti, user, issuedBefore, expiresAt } = flags;
  if ((jti === undefined) === (user === undefined)) throw badUsage('either --jti or --user');
  if (jti !== undefined && issuedBefore !== undefined) throw badUsage('--issued-before goes with --user');
  const body = JSON.stringify({ jti, user, issued_before: issuedBefore, expires_at: expiresAt });
  const answer = await new AdminClient(flags).call<{ expires_at: string }>('POST', '/api/revocations', body);
  if (flags.json) printJson(answer);
  else print(`revoked until ${answer.expires_at}`);
}
