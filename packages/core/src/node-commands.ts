import type { CloseReason } from './close-codes.js';
import type { Revocation } from './revocation.js';
import type { StreamName } from './streams.js';
import type { TraceCommand } from './trace/trace-command.js';

/** Command that one node gives another. JSON on the wire. */
export type NodeCommand =
  | {
      readonly command: 'close';
      /** User; null: a guest, who is known by `connection` only. */
      readonly user: string | null;
      /** Restricts the close to this one of the user's connections. */
      readonly connection?: string;
      /** Restricts the close to connections of this endpoint. */
      readonly endpoint?: string;
      readonly close: CloseReason;
    }
  /** Somebody wants a place that this user's connections hold: those whose peer does not answer are given up. */
  | { readonly command: 'probe'; readonly user: string; readonly endpoint?: string }
  | { readonly command: 'revoke'; readonly revocation: Revocation }
  | { readonly command: 'drain' }
  /** A question to many nodes; each answers the asker by `report`. */
  | { readonly command: 'ask'; readonly id: string; readonly from: string; readonly question: NodeQuestion }
  | { readonly command: 'report'; readonly id: string; readonly answer: unknown }
  | TraceCommand;

const commandNames: Readonly<Record<NodeCommand['command'], true>> = {
  close: true,
  probe: true,
  revoke: true,
  drain: true,
  ask: true,
  report: true,
  trace: true,
  untrace: true,
  traced: true,
};

/** False: a newer node says what this release does not know. */
export function isNodeCommand(value: unknown): value is NodeCommand {
  const name = (value as { command?: unknown } | null)?.command;
  return typeof name === 'string' && Object.hasOwn(commandNames, name);
}

export type NodeQuestion =
  /** Who is in the channel? Answer: {users: string[], connections: number}. */
  | { readonly about: 'members'; readonly stream: StreamName }
  /** Which subscription ids have subscribers? Answer: {counts: {[id]: connections}}. */
  | { readonly about: 'subscriptions' }
  /** Whose is the connection? Answer: {user: string | null}, or null when it is not here. */
  | { readonly about: 'connection'; readonly connection: string }
  /** Who is there? Answer: a ConnectionShare. */
  | { readonly about: 'connections'; readonly wanted: ConnectionSearch }
  /** What have you measured behind this time (ms since the epoch)? Answer: {readings: NodeReading[]}. */
  | { readonly about: 'readings'; readonly afterMs: number };

/** Connections that somebody looks for; members that are absent ask for nothing. */
export interface ConnectionSearch {
  readonly user?: string;
  readonly address?: string;
  readonly topic?: string;
  readonly endpoint?: string;
  readonly slow?: true;
  /** Only ids behind this one; '' for all. */
  readonly after: string;
  readonly limit: number;
}
