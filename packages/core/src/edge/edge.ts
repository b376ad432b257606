import { closeReason } from '../close-codes.js';
import type { Engine } from '../engine.js';
import type { ContinuityLoss, Inbox, StreamMessage } from '../inbox.js';
import type { Logger } from '../logger.js';
import type { NodeCommand } from '../node-commands.js';
import type { PresenceEvents } from '../outgoing/presence-events.js';
import type { Revocation } from '../revocation.js';
import type { EdgeStats } from '../stats.js';
import type { Traces } from '../trace/traces.js';
import type { Tracing } from '../trace/tracing.js';
import { EVERY_CONNECTION, userStream } from '../streams.js';
import type { Admission, Arrival, Attempt, EdgeHandler, Handshake, Reception, Refusal, Socket } from '../transport.js';
import type { LoginChanges } from './commands/login-changes.js';
import type { ConnectionTable } from './delivery/connection-table.js';
import type { Connection } from './delivery/connection.js';
import type { Delivery } from './delivery/delivery.js';
import type { Sender } from './delivery/sender.js';
import type { Takes } from './delivery/takes.js';
import type { Endpoints } from './endpoints.js';
import type { Handshaker } from './handshake/handshaker.js';
import type { Capacity } from './node/capacity.js';
import type { ClusterSurvey } from './node/cluster-survey.js';
import { Drain } from './node/drain.js';
import type { Lifetimes } from './node/lifetimes.js';
import type { Rebuild } from './node/rebuild.js';
import type { Reloads } from './node/reloads.js';
import { PendingAdmissions } from './handshake/pending-admissions.js';
import type { HandshakeReception, ReceivedHandshake } from './handshake/reception.js';
import type { RefusalLog } from './handshake/refusal-log.js';
import type { CloseLog } from './node/close-log.js';
import { RefusalError } from './refusals.js';
import type { PendingSubscriptions, Subscriber } from './subscriptions/subscriber.js';
import type { ToldPositions } from './subscriptions/told-positions.js';

const SWEEP_MS = 50;
const SECOND_MS = 1000;
/** How long a peer may take to answer when its place is wanted. */
const PROBE_MS = 5000;
const EVERYWHERE_OF_USER = userStream(EVERY_CONNECTION, '');

/** The finished parts of an edge (see createEdge). */
export interface EdgeParts {
  readonly engine: Pick<Engine, 'healthy' | 'showLife'>;
  readonly connections: ConnectionTable;
  readonly endpoints: Endpoints;
  readonly reception: HandshakeReception;
  readonly handshaker: Handshaker;
  readonly subscriber: Subscriber;
  readonly sender: Sender;
  readonly delivery: Delivery;
  readonly takes: Takes;
  readonly loginChanges: LoginChanges;
  readonly capacity: Capacity;
  readonly lifetimes: Lifetimes;
  readonly toldPositions: ToldPositions;
  readonly survey: ClusterSurvey;
  readonly reloads: Reloads;
  readonly rebuild: Rebuild;
  readonly presence: PresenceEvents | null;
  readonly tracing: Tracing;
  readonly traces: Pick<Traces, 'take'>;
  readonly stats: EdgeStats;
  readonly logger: Logger;
  readonly refusalLog: RefusalLog;
  readonly closeLog: CloseLog;
  /** Address that limits apply to. */
  readonly clientAddress: (handshake: Handshake) => string;
  /** Begins to listen to back ends. */
  readonly startLinks: () => void;
  /** The node shall go away: the process owns the order of a shutdown. */
  readonly onDrain: () => void;
}

/**
 * The sockets' side of a node: transports above, engine below. Implements what both call. Guarantees to each connection:
 * after `connected` no message of its streams is missed while the socket lives, in order per stream, none twice.
 */
export class Edge implements EdgeHandler, Inbox {
  readonly #parts: EdgeParts;
  readonly #pending = new WeakMap<Connection, PendingSubscriptions>();
  readonly #admissions = new PendingAdmissions();
  #timers: NodeJS.Timeout[] = [];
  #draining = false;

  constructor(parts: EdgeParts) {
    this.#parts = parts;
  }

  get survey(): ClusterSurvey {
    return this.#parts.survey;
  }

  get connectionCount(): number {
    return this.#parts.connections.size;
  }

  get userCount(): number {
    return this.#parts.connections.users;
  }

  /** No room for one more connection. */
  get full(): boolean {
    return this.#parts.capacity.isFull;
  }

  get draining(): boolean {
    return this.#draining;
  }

  start(): void {
    this.#parts.startLinks();
    this.#timers = [
      setInterval(() => this.#parts.delivery.sweep(), SWEEP_MS),
      setInterval(() => this.#everySecond(), SECOND_MS),
    ];
  }

  /** Resolves when the engine knows what there is to tell. */
  async stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    this.#timers = [];
    await this.#parts.takes.flush();
  }

  /** Paths where a WebSocket is spoken: a plain request there is answered 426. */
  isEndpoint(path: string): boolean {
    return this.#parts.endpoints.has(path);
  }

  /** What a request for a path says where there is no endpoint. */
  unknownEndpoint(path: string): Refusal {
    return this.#parts.endpoints.unknown(path).toRefusal();
  }

  receive(handshake: Handshake): Reception {
    try {
      return { received: true, arrival: this.#parts.reception.receive(handshake) };
    } catch (error) {
      return { received: false, refusal: this.#refuse(error, this.#parts.clientAddress(handshake)) };
    }
  }

  admit(arrival: Arrival, attempt: Attempt): Promise<Admission> {
    const received = arrival as ReceivedHandshake;
    if (this.#draining) {
      const refusal = this.#refuse(draining(), received.address);
      return Promise.resolve({ admitted: false, refusal });
    }
    return this.#admissions.first(this.#decide(received, attempt), {
      // A client that has gone is not refused.
      refuse: () => (attempt.aborted ? unfinished().toRefusal() : this.#refuse(draining(), received.address)),
      undo: (late) => {
        if (late.admitted) this.closed(late.connection, 1006, '');
      },
    });
  }

  refused(handshake: Handshake, { code, message }: Refusal): void {
    this.#parts.refusalLog.refused({ code, message, user: null }, this.#parts.clientAddress(handshake));
  }

  confirm(transportConnection: object): Refusal | null {
    if (!this.#draining) return null;
    const connection = transportConnection as Connection;
    this.#pending.delete(connection);
    this.#parts.handshaker.undo(connection);
    const refusal = draining();
    refusal.user = connection.user;
    return this.#refuse(refusal, connection.address);
  }

  opened(transportConnection: object, socket: Socket): void {
    const connection = transportConnection as Connection;
    const { sender, subscriber, stats, presence, tracing } = this.#parts;
    const pending = this.#pending.get(connection);
    if (pending === undefined) throw new Error('opened: the connection was not admitted here');
    this.#pending.delete(connection);
    connection.socket = socket;
    connection.state = 'open';
    stats.connectionsTotal++;
    presence?.connected(connection);
    tracing.tracer?.connected(connection);
    socket.begin?.(subscriber.beginnings(pending));
    const greeting = connection.endpoint.greeting(connection, subscriber.describe(pending));
    if (greeting !== null) sender.send(connection, greeting, 'connected');
    subscriber.complete(pending);
    sender.flush();
    if (connection.pendingClose !== null) sender.close(connection, connection.pendingClose);
    else if (this.#draining) sender.close(connection, closeReason('drain'));
    else connection.endpoint.opened(connection);
  }

  message(transportConnection: object, text: ArrayBuffer): void {
    const connection = transportConnection as Connection;
    if (connection.state !== 'open') return;
    this.#parts.stats.bytesReceived += text.byteLength;
    connection.endpoint.message(connection, text);
  }

  abused(transportConnection: object, code: number, reason: string): void {
    this.#parts.sender.close(transportConnection as Connection, { code, reason });
  }

  drained(transportConnection: object): void {
    this.#parts.sender.drained(transportConnection as Connection);
  }

  closed(transportConnection: object, code: number, reason: string): void {
    const connection = transportConnection as Connection;
    if (connection.state === 'closed') return;
    const { stats, presence, sender, handshaker, closeLog, tracing } = this.#parts;
    if (connection.socket !== null) {
      const isInvented = connection.closing === null && code >= 3000 && code <= 4999;
      stats.closes.add(isInvented ? 'client' : String(code));
      closeLog.closed(connection, code);
      tracing.tracer?.closed(connection, code, reason);
      presence?.disconnected(connection, reason === '' ? String(code) : reason);
      connection.endpoint.closed(connection, { code, reason });
      if (code === 1006) stats.unexpectedCloses++;
      stats.connectionSeconds.observe((performance.now() - connection.cameAtMs) / 1000);
    }
    sender.forget(connection);
    handshaker.undo(connection);
    connection.socket = null;
  }

  deliver(message: StreamMessage): void {
    const { reloads, delivery } = this.#parts;
    if (message.stream.startsWith(EVERYWHERE_OF_USER)) this.#deliverToUser(message);
    else if (!reloads.take(message)) delivery.deliver(message);
  }

  broadcast(frame: Uint8Array): void {
    const { connections, sender, stats } = this.#parts;
    let sent = 0;
    for (const connection of connections.all()) {
      if (!connection.endpoint.wantsBroadcast) continue;
      sender.push(connection, frame, null);
      sent++;
    }
    stats.messagesSent.add('broadcast', sent);
  }

  endBatch(): void {
    this.#parts.delivery.endBatch();
  }

  command(command: NodeCommand): void {
    switch (command.command) {
      case 'close':
        this.#closeUser(command);
        break;
      case 'probe':
        this.#probe(command);
        break;
      case 'revoke':
        this.#revoke(command.revocation);
        break;
      case 'drain':
        this.#parts.onDrain();
        break;
      case 'ask':
      case 'report':
        this.survey.take(command);
        break;
      case 'trace':
      case 'untrace':
      case 'traced':
        this.#parts.traces.take(command);
        break;
    }
  }

  rebuild(loss: ContinuityLoss): Promise<void> {
    this.#parts.loginChanges.lost(loss);
    return this.#parts.rebuild.run(loss);
  }

  holds(connection: string, user: string): boolean {
    const { connections, loginChanges } = this.#parts;
    return connections.get(connection)?.user === user || loginChanges.isBecoming(connection, user);
  }

  /** Handshakes are refused from here on, those under way too; `/ready` says draining. */
  beginDrain(): void {
    this.#draining = true;
    this.#admissions.refuseAll();
  }

  async drain(durationMs: number): Promise<void> {
    this.beginDrain();
    await new Drain(this.#parts).run(durationMs);
  }

  /** Never rejects. */
  async #decide(received: ReceivedHandshake, attempt: Attempt): Promise<Admission> {
    const { stats, handshaker } = this.#parts;
    stats.handshakesInFlight++;
    try {
      this.#requireRoom();
      const { connection, pending } = await handshaker.admit(received, attempt);
      this.#pending.set(connection, pending);
      return { admitted: true, connection };
    } catch (error) {
      // Nobody is there to be refused, or it was refused already.
      if (attempt.aborted || this.#draining) return { admitted: false, refusal: unfinished().toRefusal() };
      return { admitted: false, refusal: this.#refuse(error, received.address) };
    } finally {
      stats.handshakesInFlight--;
    }
  }

  /** Counts and logs a refusal that the edge makes; `error` may be any that a handshake ended with. */
  #refuse(error: unknown, address: string): Refusal {
    const { logger, stats, refusalLog } = this.#parts;
    const isRefused = error instanceof RefusalError;
    if (!isRefused) logger.error('admission failed', { error });
    const refusal = isRefused ? error : unfinished();
    if (refusal.code === 'user_blocked') stats.blocksEnforced++;
    refusalLog.refused(refusal, address);
    return refusal.toRefusal();
  }

  /** Throws RefusalError. */
  #requireRoom(): void {
    this.#parts.capacity.check();
    if (!this.#parts.engine.healthy)
      throw new RefusalError('unavailable', 'the gateway cannot admit connections right now');
  }

  /** To all of a user's connections, subscribed to something or not; never to a pipe, which carries its backend's messages. */
  #deliverToUser(message: StreamMessage): void {
    const { connections, sender, stats } = this.#parts;
    for (const connection of connections.ofUser(message.stream.slice(EVERYWHERE_OF_USER.length))) {
      if (connection.id === message.except || !connection.endpoint.wantsBroadcast) continue;
      sender.push(connection, message.frame, null);
      stats.messagesSent.add('private');
    }
  }

  #closeUser(command: Extract<NodeCommand, { command: 'close' }>): void {
    const { connections, sender, loginChanges, stats } = this.#parts;
    // What came before the command in the same batch (the block's own frame) leaves first.
    sender.flush();
    for (const connection of connections.concernedBy(command)) {
      if (command.close.code === closeReason('user_blocked').code) stats.blocksEnforced++;
      sender.close(connection, command.close);
    }
    loginChanges.close(command);
  }

  /** Somebody waits to hear that this node lives. A peer that has changed its network leaves a socket behind that looks open for as long as a heartbeat. */
  #probe({ user, endpoint }: Extract<NodeCommand, { command: 'probe' }>): void {
    this.#parts.engine.showLife?.();
    for (const connection of this.#parts.connections.ofUser(user)) {
      if (endpoint === undefined || endpoint === connection.endpoint.path) connection.socket?.probe(PROBE_MS);
    }
  }

  #revoke(revocation: Revocation): void {
    const { connections, sender, loginChanges } = this.#parts;
    const candidates = 'user' in revocation ? connections.ofUser(revocation.user) : connections.all();
    for (const connection of [...candidates]) {
      if (connection.login.isRevokedBy(revocation)) sender.close(connection, closeReason('revoked'));
    }
    loginChanges.revoke(revocation);
  }

  #everySecond(): void {
    const { connections, lifetimes, sender, toldPositions } = this.#parts;
    // A token's end is a time of day, unlike everything else that ends here.
    const timeMs = Date.now();
    const hasEnded = lifetimes.endedAt(performance.now());
    for (const connection of connections.all()) {
      if (hasEnded(connection)) sender.close(connection, closeReason('lifetime'));
      const expiresAtMs = connection.login.identity?.expiresAtMs ?? null;
      if (expiresAtMs !== null && timeMs >= expiresAtMs) sender.close(connection, closeReason('token_expired'));
    }
    sender.everySecond();
    toldPositions.everySecond(timeMs);
  }
}

function unfinished(): RefusalError {
  return new RefusalError('unavailable', 'the handshake could not be completed');
}

function draining(): RefusalError {
  return new RefusalError('draining', 'this node is going away; connect again');
}
