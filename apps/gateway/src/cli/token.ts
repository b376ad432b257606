import { isName, isUserId } from '@ws-gateway/core';
import { InvalidArgumentError, Option, type Command } from 'commander';
import type { Config } from '../config/config.js';
import { duration } from '../config/language/formats.js';
import { configOption, configured, type ConfigFlags } from './configured.js';
import { badUsage } from './exit.js';
import { print, printJson } from './output.js';

interface TokenFlags extends ConfigFlags {
  readonly user: string;
  readonly ttl: number;
  readonly topics?: readonly string[];
  readonly rooms?: readonly string[];
  readonly claim?: Readonly<Record<string, readonly string[]>>;
  readonly json?: true;
}

export function registerToken(program: Command): void {
  program
    .command('token')
    .description('sign a token with the configured secret')
    .requiredOption('--user <id>', 'the user it is for', userOption)
    .addOption(
      new Option('--ttl <duration>', 'how long it is valid (0: for ever)')
        .argParser(durationOption)
        .default(3_600_000, '1h'),
    )
    .option('--topics <names>', 'the only topics it allows, separated by commas (default: all)', namesOption)
    .option('--rooms <names>', 'the only rooms it allows, separated by commas (default: all)', namesOption)
    .option('--claim <name=values>', 'a claim that lists these, such as keys of a topic; may be repeated', claimOption)
    .option(...configOption)
    .option('--json', 'as JSON: {"token","expires_at"}')
    .addHelpText('after', '\nExample:\n  $ JWT_SECRET=… ws-gateway token --user u1 --ttl 1h --topics notifications')
    .action(async (flags: TokenFlags) => {
      const request = { ...flags, ttlMs: flags.ttl, lists: flags.claim ?? {} };
      const { token, expiresAtMs } = await signToken(configured(flags, 'tool').auth, request);
      if (!flags.json) return print(token);
      printJson({ token, expires_at: expiresAtMs === null ? null : new Date(expiresAtMs).toISOString() });
    });
}

export interface TokenRequest {
  readonly user: string;
  /** Life of the token in ms; 0: without end. */
  readonly ttlMs: number;
  readonly topics?: readonly string[];
  readonly rooms?: readonly string[];
  /** Claims that list texts. */
  readonly lists?: Readonly<Record<string, readonly string[]>>;
}

/** Signs a token that the gateway of this configuration accepts. */
export async function signToken(
  auth: Config['auth'],
  request: TokenRequest,
): Promise<{ token: string; expiresAtMs: number | null }> {
  const algorithm = auth.algorithms.find((name) => name.startsWith('HS'));
  if (algorithm === undefined)
    throw badUsage('no HS algorithm in auth.algorithms: tokens come from the owner of the private key');
  const secret = signingSecret(auth);
  if (secret === '') throw badUsage('auth.secret: missing; set JWT_SECRET to the secret of the gateway');
  const { SignJWT } = await import('jose');
  const issuedAt = Math.floor(Date.now() / 1000);
  const expiresAt = request.ttlMs === 0 ? null : issuedAt + Math.ceil(request.ttlMs / 1000);
  const claims = {
    ...request.lists,
    [auth.userClaim]: request.user,
    ...(request.topics === undefined ? {} : { topics: request.topics }),
    ...(request.rooms === undefined ? {} : { rooms: request.rooms }),
  };
  const unsigned = new SignJWT(claims).setProtectedHeader({ alg: algorithm, typ: 'JWT' }).setIssuedAt(issuedAt);
  if (expiresAt !== null) unsigned.setExpirationTime(expiresAt);
  if (auth.issuer !== '') unsigned.setIssuer(auth.issuer);
  if (auth.audience !== '') unsigned.setAudience(auth.audience);
  const token = await unsigned.sign(new TextEncoder().encode(secret));
  return { token, expiresAtMs: expiresAt === null ? null : expiresAt * 1000 };
}

/** '' when there is none. */
export function signingSecret({ secret, secrets }: Pick<Config['auth'], 'secret' | 'secrets'>): string {
  return secret || (secrets[0] ?? '');
}

export function userOption(text: string): string {
  if (!isUserId(text)) throw new InvalidArgumentError('A user id is 1 to 128 characters without control characters.');
  return text;
}

function claimOption(text: string, before: Readonly<Record<string, readonly string[]>> = {}) {
  const [, name, values] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  if (name === undefined) throw new InvalidArgumentError('A claim is <name>=<value>,<value>…');
  return { ...before, [name]: values!.split(',').filter((value) => value !== '') };
}

export function durationOption(text: string): number {
  try {
    return duration().read(text);
  } catch (error) {
    throw new InvalidArgumentError(`It ${(error as Error).message}.`);
  }
}

function namesOption(text: string): readonly string[] {
  const names = text.split(',').map((name) => name.trim());
  if (!names.every(isName)) throw new InvalidArgumentError('A name is 1 to 128 characters of A-Z a-z 0-9 . _ -');
  return names;
}
