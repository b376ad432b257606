import type { Command } from 'commander';
import { AdminClient, adminTokenOption, counted, urlOption, type AdminFlags } from './admin-client.js';
import { configOption } from './configured.js';
import { print, printJson, styled } from './output.js';

interface NodeView {
  readonly node: string;
  readonly role: string;
  readonly address: string;
  readonly version: string;
  readonly since: string;
  readonly connections: number;
  readonly users: number;
  readonly draining: boolean;
  readonly lag: Readonly<Record<string, number>>;
}

const EXAMPLES = `
Examples:
  $ ws-gateway status -c config.yaml
  $ WSGATEWAY_ADMIN_TOKEN=… ws-gateway status --url http://gateway:8080 --json`;

export function registerStatus(program: Command): void {
  program
    .command('status')
    .description('show the nodes: connections, lag, who drains')
    .option(...urlOption)
    .option(...adminTokenOption)
    .option(...configOption)
    .option('--json', 'as JSON: {"nodes":[…]}')
    .addHelpText('after', EXAMPLES)
    .action(status);
}

async function status(flags: AdminFlags): Promise<void> {
  const answer = await new AdminClient(flags).call<{ nodes: readonly NodeView[] }>('GET', '/api/nodes');
  if (flags.json) return printJson(answer);
  const { nodes } = answer;
  const [head, ...rows] = aligned([COLUMNS, ...nodes.map(cells)]);
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

/** Columns of equal width; numbers to the right, so that they can be compared. */
function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = COLUMNS.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) => {
    const padded = row.map((cell, column) =>
      NUMBERS.has(COLUMNS[column]!) ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!),
    );
    return padded.join('  ').trimEnd();
  });
}
