import { InvalidArgumentError, type Command } from 'commander';
import { CliError, exitCodes } from './exit.js';
import type { SessionEnd } from './listen-session.js';
import { note, print } from './output.js';
import { namesOption } from './token.js';

interface ListenFlags {
  readonly token?: string;
  readonly topics?: readonly string[];
}

const RETRY_BASE_MS = 200;
const RETRY_MAX_MS = 10_000;

export function registerListen(program: Command): void {
  program
    .command('listen')
    .description('connect as a client and print every frame, one a line; reconnects and resumes')
    .argument('<url>', 'such as ws://localhost:8080/ws', urlArgument)
    .option('--token <jwt>', 'token of the user (see `ws-gateway token`)')
    .option('--topics <names>', 'what to subscribe to, separated by commas', namesOption)
    .addHelpText(
      'after',
      '\nExample:\n  $ ws-gateway listen ws://localhost:8080/ws --token "$TOKEN" --topics notifications',
    )
    .action(listen);
}

/** Returns when the server ended it normally or the user interrupts; a refusal ends with exit code 1. */
async function listen(url: URL, flags: ListenFlags): Promise<void> {
  if (flags.topics !== undefined) url.searchParams.set('topics', flags.topics.join(','));
  const { ListenSession } = await import('./listen-session.js');
  const session = new ListenSession(url, flags.token ?? null, { frame: print, note });
  process.once('SIGINT', () => process.exit(exitCodes.ok));
  process.once('SIGTERM', () => process.exit(exitCodes.ok));
  for (let attempt = 0; ;) {
    const end = await session.run();
    if (end.kind === 'done') return;
    if (end.kind === 'refused' || !session.everConnected) throw new CliError(exitCodes.failure, end.reason);
    attempt = end.connected ? 0 : attempt + 1;
    await backOff(end, attempt);
  }
}

/** Full jitter: clients that lost the same node must not come back together. */
async function backOff(end: Extract<SessionEnd, { kind: 'lost' }>, attempt: number): Promise<void> {
  const ceilingMs = Math.min(RETRY_MAX_MS, RETRY_BASE_MS * 2 ** attempt);
  const delayMs = end.afterMs ?? Math.random() * ceilingMs;
  note(`${end.reason}; again in ${(delayMs / 1000).toFixed(1)} s`);
  await new Promise((resolve) => setTimeout(resolve, delayMs));
}

function urlArgument(text: string): URL {
  const url = URL.parse(text.replace(/^http/, 'ws'));
  if (url === null || !/^wss?:$/.test(url.protocol) || url.host === '') {
    throw new InvalidArgumentError('It must be ws:// or wss:// and a host.');
  }
  if (url.pathname === '/') url.pathname = '/ws';
  url.hash = '';
  return url;
}
