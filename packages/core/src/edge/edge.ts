import type { BackendCommands } from '../backend-commands.js';
import type { BackendLinks } from '../backend-links.js';
import { closeReason } from '../close-codes.js';
import type { Engine, Inbox, NodeCommand, StreamMessage } from '../engine.js';
import { connectedFrame } from '../frame.js';
import type { Logger } from '../logger.js';
import type { EdgeStats } from '../stats.js';
import { isRevokedBy, type Revocation } from '../revocation.js';
import type { HandshakeIdentifier, TokenVerifier } from '../token-verifier.js';
import type { TopicPolicy } from '../topics.js';
import type { Admission, ChannelPublisher, EdgeHandler, Handshake, Refusal, Socket } from '../transport.js';
import { EVERY_CONNECTION, userStream } from '../streams.js';
import { Handshaker, type HandshakeOptions } from './handshake/handshaker.js';
import { AuthenticationCommand } from './commands/authentication-command.js';
import { BackendCommandHandler } from './commands/backend-command-handler.js';
import { ClusterSurvey } from './node/cluster-survey.js';
import { LocalStreamTable } from './delivery/local-streams.js';
import { ConnectionTable } from './delivery/connection-table.js';
import type { Connection } from './delivery/connection.js';
import { Delivery } from './delivery/delivery.js';
import { Drain } from './node/drain.js';
import { Endpoints, type PipeOptions } from './endpoints.js';
import { HistoryCommands } from './commands/history-commands.js';
import { Interests } from './subscriptions/interests.js';
import { Subscriber, type PendingSubscriptions } from './subscriptions/subscriber.js';
import { ok } from './commands/outcome.js';
import { Pipes } from './pipes/pipes.js';
import type { PresenceEvents } from '../outgoing/presence-events.js';
import { Rebuild } from './node/rebuild.js';
import { RefusalError } from './refusals.js';
import { Reloads } from './node/reloads.js';
import { CommandDispatcher, type RequestLimits } from './commands/command-dispatcher.js';
import { RoomCommands, type RoomOptions } from './commands/room-commands.js';
import { SendCommand, type SendOptions, type SentMessages } from './commands/send-command.js';
import { Sender } from './delivery/sender.js';
import { SubscribeCommands } from './commands/subscribe-commands.js';
import type { SubscriptionEvents } from '../outgoing/subscription-events.js';
import { TopicAccess } from './subscriptions/topic-access.js';
import { FanOutScheduler } from './delivery/fan-out-groups.js';

const SWEEP_MS = 50;
const SECOND_MS = 1000;
const EVERYWHERE_OF_USER = userStream(EVERY_CONNECTION, '');
/** Answers and broadcasts that a slow client may have waiting. */
const ANSWER_QUEUE_BYTES = 256 * 1024;

export interface EdgeDeps {
  /** The node shall go away: the process owns the order of a shutdown. */
  readonly onDrain?: () => void;
  readonly engine: Engine;
  readonly verifier: TokenVerifier;
  /** Asked about handshakes without a token; absent: nobody is. */
  readonly identifier?: HandshakeIdentifier | undefined;
  readonly publisher: ChannelPublisher;
  readonly backends: BackendCommands;
  readonly links: BackendLinks;
  readonly stats: EdgeStats;
  /** Told of what clients send; null: nobody is. */
  readonly sent: SentMessages | null;
  /** null: nobody is told who comes and goes. */
  readonly presence: PresenceEvents | null;
  /** null: nobody is told which subscription ids there are. */
  readonly subscriptions: SubscriptionEvents | null;
  readonly logger: Logger;
}

export interface EdgeOptions extends HandshakeOptions {
  readonly topics: readonly TopicPolicy[];
  readonly topicsPerConnection: number;
  readonly heartbeatMs: number;
  readonly limits: RequestLimits;
  readonly subscriptionsPerConnection: number;
  readonly hubs: readonly string[];
  readonly pipes: readonly PipeOptions[];
  /** What a backend asks for in one message over its link. */
  readonly pipeActionBytes: number;
  readonly rooms: RoomOptions;
  /** `send` works on every endpoint, not on hubs only. */
  readonly sendEverywhere: boolean;
}

/**
 * The sockets' side of a node: transport above, engine below. Implements what both call. Guarantees to each connection:
 * after `connected` no message of its streams is missed while the socket lives, in order per stream, none twice.
 */
export class Edge implements EdgeHandler, Inbox {
  readonly survey: ClusterSurvey;
  readonly #deps: EdgeDeps;
  readonly #options: EdgeOptions;
  readonly #connections = new ConnectionTable();
  readonly #localStreams = new LocalStreamTable();
  readonly #pending = new WeakMap<Connection, PendingSubscriptions>();
  readonly #sender: Sender;
  readonly #delivery: Delivery;
  readonly #interests: Interests;
  readonly #subscriber: Subscriber;
  readonly #pipes: Pipes;
  readonly #handshaker: Handshaker;
  readonly #requests: CommandDispatcher;
  readonly #rebuild: Rebuild;
  readonly #reloads: Reloads;
  readonly #endpoints: Endpoints;
  readonly #decoder = new TextDecoder();
  #timers: NodeJS.Timeout[] = [];
  #draining = false;

  constructor(deps: EdgeDeps, options: EdgeOptions) {
    const { engine, stats, publisher, logger, backends, links, subscriptions } = deps;
    this.#deps = deps;
    this.#options = options;
    const localStreams = this.#localStreams;
    const connections = this.#connections;
    this.survey = new ClusterSurvey({ engine, logger, localStreams, connections }, options);
    const scheduler = new FanOutScheduler(publisher);
    this.#sender = new Sender({ stats, scheduler }, { answerQueueBytes: ANSWER_QUEUE_BYTES });
    this.#delivery = new Delivery({ localStreams, sender: this.#sender, scheduler, stats });
    this.#interests = new Interests(engine);
    const joining = { engine, localStreams, delivery: this.#delivery, interests: this.#interests };
    this.#subscriber = new Subscriber({ ...joining, stats, subscriptions });
    const subscriber = this.#subscriber;
    const access = new TopicAccess(options.topics, options.topicsPerConnection);
    this.#endpoints = new Endpoints(options.hubs, options.pipes);
    const pipeDeps = { engine, links, connections, delivery: this.#delivery, sender: this.#sender, stats, logger };
    this.#pipes = new Pipes(pipeDeps, options.pipes, {
      requestsPerSecond: options.limits.requestsPerSecond,
      actionBytes: options.pipeActionBytes,
    });
    const handshakerDeps = { ...deps, connections, subscriber, access, endpoints: this.#endpoints, pipes: this.#pipes };
    this.#handshaker = new Handshaker(handshakerDeps, options);
    this.#reloads = new Reloads({ backends, localStreams, sender: this.#sender, logger });
    const backendCommands = new BackendCommandHandler(
      { backends, subscriber, subscriptions, reloads: this.#reloads },
      options.subscriptionsPerConnection,
    );
    this.#requests = new CommandDispatcher(
      { sender: this.#sender, backends: backendCommands, stats, logger },
      {
        ping: () => ok({ time: new Date().toISOString() }),
        ...new SubscribeCommands({ subscriber, access }).handlers,
        ...new RoomCommands(subscriber, options.rooms).handlers,
        ...new HistoryCommands({ engine, access, survey: this.survey }, options.rooms.policy).handlers,
        ...new AuthenticationCommand({ ...deps, connections, subscriber, sender: this.#sender }, options).handlers,
        ...new SendCommand({ engine, sent: deps.sent }, sendOptions(options)).handlers,
      },
      options.limits,
    );
    const own = { sender: this.#sender, interests: this.#interests, delivery: this.#delivery };
    this.#rebuild = new Rebuild({ ...own, engine, connections, logger });
  }

  start(): void {
    this.#deps.links.start(this.#pipes);
    this.#timers = [
      setInterval(() => this.#delivery.sweep(), SWEEP_MS),
      setInterval(() => this.#everySecond(), SECOND_MS),
    ];
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  get userCount(): number {
    return this.#connections.users;
  }

  /** Paths where a WebSocket is spoken: a plain request there is answered 426. */
  isEndpoint(path: string): boolean {
    return this.#endpoints.has(path);
  }

  /** What a request for a path says where there is no endpoint. */
  unknownEndpoint(path: string): Refusal {
    return this.#endpoints.unknown(path).toRefusal();
  }

  get draining(): boolean {
    return this.#draining;
  }

  async admit(handshake: Handshake, signal: AbortSignal): Promise<Admission> {
    try {
      this.#requireOpen();
      const { connection, pending, protocol } = await this.#handshaker.admit(handshake, signal);
      this.#pending.set(connection, pending);
      return { admitted: true, connection, protocol };
    } catch (error) {
      if (error instanceof RefusalError) {
        if (error.code === 'user_blocked') this.#deps.stats.blocksEnforced++;
        return { admitted: false, refusal: error.toRefusal() };
      }
      if (!signal.aborted) this.#deps.logger.error('admission failed', { error });
      const refusal = new RefusalError('unavailable', 'the handshake could not be completed');
      return { admitted: false, refusal: refusal.toRefusal() };
    }
  }

  opened(transportConnection: object, socket: Socket): void {
    const connection = transportConnection as Connection;
    const pending = this.#pending.get(connection);
    if (pending === undefined) throw new Error('opened: the connection was not admitted here');
    this.#pending.delete(connection);
    connection.socket = socket;
    connection.state = 'open';
    this.#deps.stats.connectionsTotal++;
    this.#deps.presence?.connected(connection);
    this.#updateGauges();
    const isPipe = connection.endpoint.pipe !== null;
    if (!isPipe) this.#sender.send(connection, this.#connected(connection, pending), 'connected');
    this.#subscriber.complete(pending);
    this.#sender.flush();
    if (connection.pendingClose !== null) this.#sender.close(connection, connection.pendingClose);
    else if (this.#draining) this.#sender.close(connection, closeReason('drain'));
    else if (isPipe) this.#pipes.opened(connection);
  }

  message(transportConnection: object, text: ArrayBuffer): void {
    const connection = transportConnection as Connection;
    if (connection.state !== 'open') return;
    this.#deps.stats.bytesReceived += text.byteLength;
    if (connection.endpoint.pipe === null) this.#requests.receive(connection, this.#decoder.decode(text));
    else this.#pipes.message(connection, text);
  }

  drained(transportConnection: object): void {
    this.#sender.drained(transportConnection as Connection);
  }

  closed(transportConnection: object, code: number, reason: string): void {
    const connection = transportConnection as Connection;
    if (connection.state === 'closed') return;
    const { stats } = this.#deps;
    if (connection.socket !== null) {
      stats.closes.add(String(code));
      this.#deps.presence?.disconnected(connection, reason === '' ? String(code) : reason);
      if (connection.endpoint.pipe !== null) this.#pipes.closed(connection, { code, reason });
      if (code === 1006) stats.unexpectedCloses++;
      stats.connectionSeconds.observe((Date.now() - connection.sinceMs) / 1000);
    }
    this.#sender.forget(connection);
    this.#handshaker.undo(connection);
    connection.socket = null;
    this.#updateGauges();
  }

  deliver(message: StreamMessage): void {
    if (message.stream.startsWith(EVERYWHERE_OF_USER)) this.#deliverToUser(message);
    else if (!this.#reloads.take(message)) this.#delivery.deliver(message);
  }

  broadcast(frame: Uint8Array): void {
    let sent = 0;
    for (const connection of this.#connections.all()) {
      if (connection.endpoint.pipe !== null) continue;
      this.#sender.push(connection, frame, null);
      sent++;
    }
    this.#deps.stats.messagesSent.add('broadcast', sent);
  }

  endBatch(): void {
    this.#delivery.endBatch();
  }

  command(command: NodeCommand): void {
    switch (command.command) {
      case 'close':
        this.#closeUser(command);
        break;
      case 'revoke':
        this.#revoke(command.revocation);
        break;
      case 'drain':
        this.#deps.onDrain?.();
        break;
      case 'ask':
      case 'report':
        this.survey.take(command);
        break;
    }
  }

  resync(reason: string): void {
    this.#deps.logger.warn('continuity lost, clients must reconnect', { reason, connections: this.#connections.size });
    for (const connection of [...this.#connections.all()]) this.#sender.close(connection, closeReason('resync'));
  }

  rebuild(): void {
    void this.#rebuild.run();
  }

  /** New handshakes are refused from here on; `/ready` says draining. */
  beginDrain(): void {
    this.#draining = true;
  }

  async drain(durationMs: number): Promise<void> {
    this.beginDrain();
    await new Drain({ connections: this.#connections, sender: this.#sender, stats: this.#deps.stats }).run(durationMs);
  }

  stop(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#timers = [];
  }

  #requireOpen(): void {
    if (this.#draining) throw new RefusalError('draining', 'this node is going away; connect again');
    if (!this.#deps.engine.healthy)
      throw new RefusalError('unavailable', 'the gateway cannot admit connections right now');
  }

  /** To all of a user's connections, subscribed to something or not; never to a pipe, which carries its backend's messages. */
  #deliverToUser(message: StreamMessage): void {
    for (const connection of this.#connections.ofUser(message.stream.slice(EVERYWHERE_OF_USER.length))) {
      if (connection.id === message.except || connection.endpoint.pipe !== null) continue;
      this.#sender.push(connection, message.frame, null);
      this.#deps.stats.messagesSent.add('private');
    }
  }

  #connected(connection: Connection, pending: PendingSubscriptions): string {
    return connectedFrame({
      connection: connection.id,
      node: this.#options.node,
      user: connection.user,
      heartbeat_ms: this.#options.heartbeatMs,
      topics: this.#subscriber.describe(pending),
    });
  }

  #closeUser(command: Extract<NodeCommand, { command: 'close' }>): void {
    // What came before the command in the same batch (the block's own frame) leaves first.
    this.#sender.flush();
    for (const connection of this.#concernedBy(command)) {
      if (command.connection !== undefined && command.connection !== connection.id) continue;
      if (command.endpoint !== undefined && command.endpoint !== connection.endpoint.path) continue;
      if (command.close.code === closeReason('user_blocked').code) this.#deps.stats.blocksEnforced++;
      this.#sender.close(connection, command.close);
    }
  }

  #revoke(revocation: Revocation): void {
    const candidates = 'user' in revocation ? this.#connections.ofUser(revocation.user) : this.#connections.all();
    for (const connection of [...candidates]) {
      const { identity } = connection;
      if (identity === null || !isRevokedBy(revocation, identity.user, identity)) continue;
      this.#sender.close(connection, closeReason('revoked'));
    }
  }

  #concernedBy({ user, connection: id }: Extract<NodeCommand, { command: 'close' }>): Iterable<Connection> {
    if (user !== null) return this.#connections.ofUser(user);
    const guest = id === undefined ? undefined : this.#connections.get(id);
    return guest === undefined ? [] : [guest];
  }

  #everySecond(): void {
    const nowMs = Date.now();
    for (const connection of this.#connections.all()) {
      if (connection.closeAtMs > 0 && nowMs >= connection.closeAtMs) {
        this.#sender.close(connection, closeReason('lifetime'));
      }
      const expiresAtMs = connection.identity?.expiresAtMs ?? null;
      if (expiresAtMs !== null && nowMs >= expiresAtMs) this.#sender.close(connection, closeReason('token_expired'));
    }
    this.#sender.closeStalled();
  }

  #updateGauges(): void {
    this.#deps.stats.activeConnections = this.#connections.size;
    this.#deps.stats.users = this.#connections.users;
  }
}

function sendOptions(options: EdgeOptions): SendOptions {
  const { hubs, rooms, sendEverywhere: everywhere } = options;
  return { hubs, everywhere, roomRetention: rooms.policy.retention };
}
