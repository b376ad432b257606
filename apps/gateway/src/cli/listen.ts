import { isName, isObject, isUserId } from '@ws-gateway/core';
import { InvalidArgumentError, type Command } from 'commander';
import { createClient, type Closed, type Reconnecting } from '@ws-gateway/client';
import { CliError, exitCodes } from './exit.js';
import { note, print } from './output.js';

interface ListenFlags {
  readonly token?: string;
  readonly topics?: readonly string[];
}

const HANDSHAKE_TIMEOUT_MS = 10_000;
const BACKOFF = { baseMs: 200, capMs: 10_000 };
const CODE_NORMAL = 1000;

export function registerListen(program: Command): void {
  program
    .command('listen')
    .description('connect as a client and print every frame, one a line; reconnects and resumes')
    .argument('<url>', 'such as ws://localhost:8080/ws', urlArgument)
    .option('--token <jwt>', 'token of the user (see `ws-gateway token`)')
    .option('--topics <names>', 'topics, or keys of them as quotes/k/AAPL, separated by commas', topicsOption)
    .addHelpText(
      'after',
      '\nExample:\n  $ ws-gateway listen ws://localhost:8080/ws --token "$TOKEN" --topics notifications',
    )
    .action(listen);
}

/** A key of a topic is called as its stream is. */
function topicsOption(text: string): readonly string[] {
  const topics = text.split(',').map((name) => name.trim());
  const isTopic = (name: string): boolean => {
    const [topic = '', key] = name.split(/\/k\/(.*)/s);
    return isName(topic) && (key === undefined || isUserId(key));
  };
  if (topics.every(isTopic)) return topics;
  throw new InvalidArgumentError('A name is 1 to 128 characters of A-Z a-z 0-9 . _ -, a key of it <name>/k/<key>');
}

/** Listens until the server ends the connection normally or the user interrupts; a refusal ends with exit code 1. */
async function listen(url: URL, flags: ListenFlags): Promise<void> {
  process.once('SIGINT', () => process.exit(exitCodes.ok));
  process.once('SIGTERM', () => process.exit(exitCodes.ok));
  const { default: WebSocket } = await import('ws');
  let wasLetIn = false;
  /** The connection of now is open, and was not refused since. */
  let isOpen = false;
  let refusal: string | null = null;
  const client = createClient({
    url: url.href,
    token: flags.token ?? '',
    topics: flags.topics ?? [],
    backoff: BACKOFF,
    // A pipe to a backend has no `connected` frame to wait for.
    connectTimeoutMs: Infinity,
    WebSocket: class extends WebSocket {
      constructor(address: string, protocols: string[]) {
        super(address, protocols, { handshakeTimeout: HANDSHAKE_TIMEOUT_MS });
        this.once('open', () => (isOpen = true));
      }
    },
    parse: printed,
  });
  const failed = Promise.withResolvers<never>();
  client.on('refused', ({ message }) => {
    isOpen = false;
    refusal = message;
  });
  client.on('reconnecting', (next) => {
    wasLetIn ||= isOpen;
    isOpen = false;
    if (wasLetIn) note(`${reasonOf(next)}; again in ${(next.delayMs / 1000).toFixed(1)} s`);
    else failed.reject(new CliError(exitCodes.failure, refusal ?? next.reason));
  });
  try {
    endOf(await Promise.race([client.closed, failed.promise]));
  } finally {
    await client.close();
  }
}

/** Prints a frame. The client's hook for reading a frame is where its text can be had as it came. */
function printed(text: string): unknown {
  const frame = parsed(text);
  // An answer is to a question of the client's own (is anybody there?), and a refusal is told on its own.
  if (!isAnswer(frame) && !isRefusal(frame)) {
    // A payload may have been written over several lines; between JSON's tokens a line break means no more than a space.
    print(text.replace(/\s*[\r\n]+\s*/g, ' '));
  }
  return frame;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Endpoints of backends carry any text; to the client it is no frame.
    return null;
  }
}

function isAnswer(frame: unknown): boolean {
  return isObject(frame) && Number(frame['rid']) > 0;
}

function isRefusal(frame: unknown): boolean {
  return isObject(frame) && frame['event'] === 'refused' && frame['status'] === 'error';
}

function reasonOf({ code, reason }: Reconnecting): string {
  return code === 1006 || code === 1005 ? reason || 'connection lost' : `closed: ${code} ${reason}`.trimEnd();
}

/** Throws CliError, unless the connection ended in a way that needs no word. */
function endOf({ why, code, reason, refusal }: Closed): void {
  if (code === CODE_NORMAL) return;
  if (refusal !== undefined) throw new CliError(exitCodes.failure, `refused: ${refusal.http} ${refusal.message}`);
  const what = why === 'gateway' ? 'closed' : 'refused';
  throw new CliError(exitCodes.failure, `${what}: ${code} ${reason}`.trimEnd());
}

export function urlArgument(text: string): URL {
  const url = URL.parse(text.replace(/^http/, 'ws'));
  if (url === null || !/^wss?:$/.test(url.protocol) || url.host === '') {
    throw new InvalidArgumentError('It must be ws:// or wss:// and a host.');
  }
  if (url.pathname === '/') url.pathname = '/ws';
  url.hash = '';
  return url;
}
