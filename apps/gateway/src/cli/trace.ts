import { StringDecoder } from 'node:string_decoder';
import { InvalidArgumentError, type Command } from 'commander';
import { AdminClient, adminTokenOption, urlOption, type AdminFlags } from './admin-client.js';
import { configOption } from './configured.js';
import { badUsage, exitCodes, failure, reasonOf } from './exit.js';
import { note, print, styled } from './output.js';
import { userOption } from './token.js';

interface TraceFlags extends AdminFlags {
  readonly user?: string;
  readonly id?: string;
}

interface Step {
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
}

const EXAMPLES = `
Examples:
  $ ws-gateway trace --user u1 -c config.yaml
  $ ws-gateway trace --id n-1 --url http://gateway:8080 --json`;

/** Steps after which a message did not reach somebody. */
const BAD: ReadonlySet<string> = new Set(['offline', 'dropped', 'refused', 'lost']);

export function registerTrace(program: Command): void {
  program
    .command('trace')
    .description('follow a user or a message from now on, over all nodes, until interrupted (10 minutes at most)')
    .option('--user <user>', 'what concerns this user', userOption)
    .option('--id <id>', 'what becomes of the message with this id', idOption)
    .option(...urlOption)
    .option(...adminTokenOption)
    .option(...configOption)
    .option('--json', 'a JSON object a line: {"event","id","user","node","timestamp",…}')
    .addHelpText('after', EXAMPLES)
    .action(trace);
}

function idOption(text: string): string {
  if (text === '') throw new InvalidArgumentError('It must not be empty.');
  return text;
}

async function trace(flags: TraceFlags): Promise<void> {
  const { user, id } = flags;
  if ((user === undefined) === (id === undefined)) throw badUsage('trace: either --user or --id');
  process.once('SIGINT', () => process.exit(exitCodes.ok));
  process.once('SIGTERM', () => process.exit(exitCodes.ok));
  const query = user === undefined ? `id=${encodeURIComponent(id!)}` : `user=${encodeURIComponent(user)}`;
  const pieces = await new AdminClient(flags).listen(`/api/trace?${query}`);
  note('following; what happens from now on is shown');
  try {
    for await (const step of stepsOf(pieces)) {
      if (step.event === 'end') return;
      print(flags.json ? JSON.stringify({ event: step.event, ...step.data }) : lineOf(step));
    }
  } catch (error) {
    throw failure(`the trace was cut off: ${reasonOf(error)}`, error);
  }
  throw failure('the trace was cut off: the node has gone');
}

async function* stepsOf(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Step> {
  const decoder = new StringDecoder();
  let text = '';
  for await (const piece of pieces) {
    text += decoder.write(Buffer.from(piece));
    const events = text.split('\n\n');
    text = events.pop()!;
    for (const event of events) {
      const match = /^event: (.*)\ndata: (.*)$/.exec(event);
      if (match !== null) yield { event: match[1]!, data: JSON.parse(match[2]!) as Step['data'] };
    }
  }
}

function lineOf({ event, data }: Step): string {
  const { timestamp, node, id, user, ...rest } = data;
  const time = typeof timestamp === 'string' ? timestamp.slice(11, 23) : '';
  const what = [
    ...(typeof id === 'string' ? [id] : []),
    ...(typeof user === 'string' ? [user] : []),
    ...Object.entries(rest).map(([name, value]) => `${name}=${shown(value)}`),
  ];
  const name = event.padEnd(9);
  return `${styled('dim', time)}  ${BAD.has(event) ? styled('yellow', name) : name}  ${what.join('  ')}  ${styled('dim', shown(node ?? ''))}`.trimEnd();
}

function shown(value: unknown): string {
  return typeof value === 'string' && !/[\s"]/.test(value) ? value : JSON.stringify(value);
}
