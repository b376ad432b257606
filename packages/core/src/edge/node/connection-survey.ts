import type { NodeRow } from '../../engine.js';
import { isObject } from '../../json.js';
import type { ConnectionSearch } from '../../node-commands.js';
import type { Position, StreamName } from '../../streams.js';
import type { Connection } from '../delivery/connection.js';

/** Length of one node's answer in JSON: a larger one would push messages out of the asker's inbox. */
const SHARE_LENGTH_MAX = 512 * 1024;

/** One open connection as operators see it. */
export interface ConnectionRow {
  readonly connection: string;
  readonly user: string | null;
  readonly node: string;
  readonly endpoint: string;
  /** RFC 3339. */
  readonly since: string;
  readonly address: string;
  /** What the client's `User-Agent` says, '' when it came without. */
  readonly agent: string;
  readonly topics: readonly string[];
  readonly rooms: readonly string[];
  /** Bytes that wait for the socket, here and in its transport. */
  readonly queued_bytes: number;
  /** Where it is in each of its streams that keep history. */
  readonly positions: Readonly<Record<StreamName, Position>>;
  readonly token_expires_at: string | null;
}

export interface FoundConnections {
  readonly connections: readonly ConnectionRow[];
  /** Where to go on; null: there are no more. */
  readonly next: string | null;
  /** Nodes that did not answer in time. */
  readonly missing: readonly string[];
}

/** What one node says: its rows with the smallest ids. */
interface ConnectionShare {
  readonly node: string;
  readonly rows: readonly ConnectionRow[];
  /** There are more behind the last of them. */
  readonly more: boolean;
}

/** Answers for one node. */
export function shareOf(connections: Iterable<Connection>, wanted: ConnectionSearch, node: string): ConnectionShare {
  const { limit } = wanted;
  const found = smallest(connections, wanted, limit + 1);
  const rows: ConnectionRow[] = [];
  let length = 0;
  for (const connection of found.slice(0, limit)) {
    const row = rowOf(connection, node);
    length += JSON.stringify(row).length;
    if (length > SHARE_LENGTH_MAX && rows.length > 0) break;
    rows.push(row);
  }
  return { node, rows, more: rows.length < found.length };
}

/** Puts the shares of all nodes together: one list in the order of the ids. */
export class ConnectionSurvey {
  readonly #shares: readonly ConnectionShare[];
  readonly #missing: readonly string[];

  constructor(answers: readonly unknown[], nodes: readonly Pick<NodeRow, 'node'>[]) {
    // A node of an earlier release does not know the question, and answers nothing.
    this.#shares = answers.filter(isShare);
    const answered = new Set(this.#shares.map(({ node }) => node));
    this.#missing = nodes.map(({ node }) => node).filter((node) => !answered.has(node));
  }

  found(limit: number): FoundConnections {
    // What a node left out lies behind its last row, so nothing behind that can be told yet.
    const ends = this.#shares.flatMap(({ rows, more }) => (more ? [rows.at(-1)!.connection] : []));
    const end = ends.length === 0 ? null : ends.reduce((a, b) => (a < b ? a : b));
    const all = this.#shares
      .flatMap(({ rows }) => rows)
      .filter(({ connection }) => end === null || connection <= end)
      .sort((a, b) => (a.connection < b.connection ? -1 : 1));
    const connections = all.slice(0, limit);
    const hasMore = end !== null || connections.length < all.length;
    return { connections, next: hasMore ? connections.at(-1)!.connection : null, missing: this.#missing };
  }
}

function isShare(answer: unknown): answer is ConnectionShare {
  return isObject(answer) && typeof answer['node'] === 'string' && Array.isArray(answer['rows']);
}

/** The wanted connections with the smallest ids, in order. Holds no more than twice as many as are asked for. */
function smallest(connections: Iterable<Connection>, wanted: ConnectionSearch, count: number): Connection[] {
  const byId = (a: Connection, b: Connection): number => (a.id < b.id ? -1 : 1);
  const found: Connection[] = [];
  let largest = '';
  for (const connection of connections) {
    if ((largest !== '' && connection.id > largest) || !isWanted(connection, wanted)) continue;
    found.push(connection);
    if (found.length < 2 * count) continue;
    found.sort(byId).length = count;
    largest = found.at(-1)!.id;
  }
  return found.sort(byId).slice(0, count);
}

function isWanted(connection: Connection, wanted: ConnectionSearch): boolean {
  const { user, address, topic, endpoint, slow, after } = wanted;
  return (
    connection.state === 'open' &&
    connection.id > after &&
    (user === undefined || connection.user === user) &&
    (address === undefined || connection.address === address) &&
    (endpoint === undefined || connection.endpoint.path === endpoint) &&
    (slow === undefined || connection.slowQueue !== null) &&
    (topic === undefined || connection.namesOf('topic').has(topic))
  );
}

function rowOf(connection: Connection, node: string): ConnectionRow {
  const { id, user, endpoint, login, address, agent, socket, slowQueue } = connection;
  const expiresAtMs = login.identity?.expiresAtMs ?? null;
  return {
    connection: id,
    user,
    node,
    endpoint: endpoint.path,
    since: new Date(login.sinceMs).toISOString(),
    address,
    agent,
    topics: [...connection.namesOf('topic')],
    rooms: [...connection.namesOf('room')],
    queued_bytes: (socket?.bufferedBytes() ?? 0) + (slowQueue?.bytes ?? 0),
    positions: positionsOf(connection),
    token_expires_at: expiresAtMs === null ? null : new Date(expiresAtMs).toISOString(),
  };
}

function positionsOf({ subscriptions }: Connection): Readonly<Record<StreamName, Position>> {
  const entries = subscriptions
    .filter(({ retained }) => retained !== null)
    .map(({ localStream, position }) => [localStream.stream, position] as const);
  return Object.fromEntries(entries);
}
