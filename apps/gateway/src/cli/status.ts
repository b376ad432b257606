import { setTimeout as delay } from 'node:timers/promises';
import { Option, type Command } from 'commander';
import type { NodeView } from '../admin/nodes.js';
import { AdminClient, adminTokenOption, counted, urlOption, type AdminFlags } from './admin-client.js';
import { configOption } from './configured.js';
import { exitCodes, reasonOf } from './exit.js';
import { note, print, printJson, styled } from './output.js';
import { aligned } from './table.js';
import { durationOption } from './token.js';

interface StatusFlags extends AdminFlags {
  /** Interval in ms; true: the usual one. */
  readonly watch?: number | true;
  readonly sort: Sort;
}

const SORTS = ['node', 'connections', 'users', 'partitions', 'lag', 'dead', 'p99', 'up'] as const;

const EXAMPLES = `
Examples:
  $ ws-gateway status -c config.yaml
  $ ws-gateway status --watch 1s --sort lag
  $ WSGATEWAY_ADMIN_TOKEN=… ws-gateway status --url http://gateway:8080 --json`;

export function registerStatus(program: Command): void {
  program
    .command('status')
    .description('show the nodes: connections, lag, dead letters, age of messages, who drains')
    .option(...urlOption)
    .option(...adminTokenOption)
    .option(...configOption)
    .addOption(
      new Option('--sort <column>', 'rows by this column, the largest number first').choices(SORTS).default('node'),
    )
    .option('--watch [duration]', 'again and again, until interrupted (default: every 2s)', durationOption)
    .option('--json', 'as JSON: {"nodes":[…]}')
    .addHelpText('after', EXAMPLES)
    .action(status);
}

interface Status {
  readonly nodes: readonly NodeView[];
}

const WATCH_MS = 2000;

async function status(flags: StatusFlags): Promise<void> {
  const client = new AdminClient(flags);
  const ask = (): Promise<Status> => client.call<Status>('GET', '/api/nodes');
  const show = (answer: Status): void => (flags.json ? printJson : printTable)(sorted(answer, flags.sort));
  show(await ask());
  if (flags.watch === undefined) return;
  process.once('SIGINT', () => process.exit(exitCodes.ok));
  process.once('SIGTERM', () => process.exit(exitCodes.ok));
  for (;;) {
    await delay(flags.watch === true ? WATCH_MS : flags.watch);
    try {
      const answer = await ask();
      // On a terminal the table stays where it is.
      if (process.stdout.isTTY && !flags.json) process.stdout.write('\u001b[H\u001b[2J');
      show(answer);
    } catch (error) {
      // The node that is asked may be the one that is being replaced.
      note(reasonOf(error));
    }
  }
}

function printTable({ nodes }: Status): void {
  const [head, ...rows] = aligned([COLUMNS, ...nodes.map(cells)], (column) => NUMBERS.has(COLUMNS[column]!));
  print(styled('bold', head!));
  for (const [at, row] of rows.entries()) print(nodes[at]!.draining ? styled('yellow', row) : row);
  const connections = nodes.reduce((sum, node) => sum + node.connections, 0);
  print(styled('dim', `${counted(nodes.length, 'node')}, ${counted(connections, 'connection')}`));
}

const COLUMNS = [
  ...['NODE', 'ROLE', 'STATE', 'CONNECTIONS', 'USERS', 'PARTITIONS', 'LAG', 'DEAD', 'P99', 'UP'],
  ...['ADDRESS', 'VERSION'],
];
const NUMBERS = new Set(['CONNECTIONS', 'USERS', 'PARTITIONS', 'DEAD', 'P99']);

function cells(row: NodeView): string[] {
  const { node, role, draining, connections, users, address, version } = row;
  // A router holds no sockets, an edge reads no records.
  const [sockets, people] = role === 'router' ? ['-', '-'] : [String(connections), String(users)];
  const lag = role === 'edge' ? '-' : lagText(row.lag);
  const [read, dead] = role === 'edge' ? ['-', '-'] : [String(sum(row.partitions)), String(row.dead_letters)];
  const p99 = row.age_p99_ms === null ? '-' : `${row.age_p99_ms} ms`;
  const state = draining ? 'draining' : 'serving';
  return [node, role, state, sockets, people, read, lag, dead, p99, upText(row.since), address, version];
}

/** What rows can be sorted by, and the number that counts. */
const SORT_NUMBERS = {
  connections: ({ connections }: NodeView) => connections,
  users: ({ users }: NodeView) => users,
  partitions: ({ partitions }: NodeView) => sum(partitions),
  lag: ({ lag }: NodeView) => sum(lag),
  dead: ({ dead_letters: dead }: NodeView) => dead,
  p99: ({ age_p99_ms: p99 }: NodeView) => p99 ?? -1,
  up: ({ since }: NodeView) => -Date.parse(since),
} as const;

type Sort = 'node' | keyof typeof SORT_NUMBERS;

function sorted({ nodes }: Status, by: Sort): Status {
  if (by === 'node') return { nodes };
  const number = SORT_NUMBERS[by];
  return { nodes: nodes.toSorted((a, b) => number(b) - number(a)) };
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}

function lagText(lag: NodeView['lag']): string {
  const behind = Object.entries(lag).filter(([, records]) => records > 0);
  return behind.length === 0 ? '0' : behind.map(([topic, records]) => `${topic} ${records}`).join(', ');
}

function upText(since: string): string {
  const seconds = Math.max(0, Math.floor((Date.now() - Date.parse(since)) / 1000));
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours}h${minutes % 60}m` : `${Math.floor(hours / 24)}d${hours % 24}h`;
}
