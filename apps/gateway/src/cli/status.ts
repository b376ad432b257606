import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
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
}

const EXAMPLES = `
Examples:
  $ ws-gateway status -c config.yaml
  $ ws-gateway status --watch 1s
  $ WSGATEWAY_ADMIN_TOKEN=… ws-gateway status --url http://gateway:8080 --json`;

export function registerStatus(program: Command): void {
  program
    .command('status')
    .description('show the nodes: connections, lag, who drains')
    .option(...urlOption)
    .option(...adminTokenOption)
    .option(...configOption)
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
  const show = flags.json ? printJson : printTable;
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

const COLUMNS = ['NODE', 'ROLE', 'STATE', 'CONNECTIONS', 'USERS', 'LAG', 'UP', 'ADDRESS', 'VERSION'];
const NUMBERS = new Set(['CONNECTIONS', 'USERS']);

function cells(row: NodeView): string[] {
  const { node, role, draining, connections, users, address, version } = row;
  // A router holds no sockets, an edge reads no records.
  const [sockets, people] = role === 'router' ? ['-', '-'] : [String(connections), String(users)];
  const lag = role === 'edge' ? '-' : lagText(row.lag);
  return [node, role, draining ? 'draining' : 'serving', sockets, people, lag, upText(row.since), address, version];
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
