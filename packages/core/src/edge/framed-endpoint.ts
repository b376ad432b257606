import type { CloseReason } from '../close-codes.js';
import { connectedFrame, reconnectFrame, type ConnectedTopic } from '../frame.js';
import type { CommandDispatcher } from './commands/command-dispatcher.js';
import type { Connection, Endpoint, SubscribeRequest } from './delivery/connection.js';
import { hubSubscriptions } from './subscriptions/unretained-streams.js';

export interface FramedEndpointOptions {
  readonly path: string;
  readonly guests: boolean;
  readonly hub: string | null;
  readonly node: string;
  readonly heartbeatMs: number;
  /** Sockets of this node now. */
  readonly countConnections: () => number;
}

/**
 * Clients that the nodes that are left take in per ms when one is gone with its sockets. A single one needs a quarter of a
 * ms of its core for a client whose token it has not seen.
 */
const RETURNS_PER_MS = 4;
const SPREAD_MS_MIN = 2000;

/** An endpoint that speaks the gateway's own frames (docs/protocol.md): `connected`, pushes, commands and answers. */
export class FramedEndpoint implements Endpoint {
  readonly path: string;
  readonly guests: boolean;
  readonly hub: string | null;
  readonly exclusive = null;
  readonly wantsBroadcast = true;
  readonly #commands: Pick<CommandDispatcher, 'receive'>;
  readonly #options: FramedEndpointOptions;

  constructor(commands: Pick<CommandDispatcher, 'receive'>, options: FramedEndpointOptions) {
    this.path = options.path;
    this.guests = options.guests;
    this.hub = options.hub;
    this.#commands = commands;
    this.#options = options;
  }

  checkQuery(): void {
    // Topics and positions are looked at by TopicAccess, which knows them.
  }

  checkOpen(): void {
    // It needs nothing that could be away.
  }

  subscriptions(user: string | null): SubscribeRequest[] {
    return hubSubscriptions(this.hub, user);
  }

  greeting(connection: Connection, topics: readonly ConnectedTopic[]): string {
    const { node, heartbeatMs, countConnections } = this.#options;
    return connectedFrame({
      connection: connection.id,
      node,
      user: connection.user,
      heartbeat_ms: heartbeatMs,
      reconnect_spread_ms: Math.max(SPREAD_MS_MIN, Math.ceil(countConnections() / RETURNS_PER_MS)),
      topics,
    });
  }

  opened(): void {
    // The greeting has said it all.
  }

  message(connection: Connection, text: ArrayBuffer): void {
    this.#commands.receive(connection, text);
  }

  closed(_connection: Connection, _close: CloseReason): void {
    // Nobody but the edge knows of its connections.
  }

  drainNotice(afterMs: number): string {
    return reconnectFrame('drain', afterMs);
  }
}
