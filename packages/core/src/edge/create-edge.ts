import type { BackendCommands } from '../backend-commands.js';
import type { BackendLinks } from '../backend-links.js';
import type { Engine } from '../engine.js';
import type { Logger } from '../logger.js';
import type { ReadingLog } from '../node-readings.js';
import type { PresenceEvents } from '../outgoing/presence-events.js';
import type { SubscriptionEvents } from '../outgoing/subscription-events.js';
import { builtInPaths, HUB_PATH } from '../paths.js';
import type { EdgeStats } from '../stats.js';
import type { HandshakeIdentifier, TokenVerifier } from '../token-verifier.js';
import type { TopicPolicy } from '../topics.js';
import type { Traces } from '../trace/traces.js';
import { nothingTraced, type Tracing } from '../trace/tracing.js';
import { AuthenticationCommand, loginCommands } from './commands/authentication-command.js';
import { BackendCommandHandler } from './commands/backend-command-handler.js';
import { CommandDispatcher, type RequestLimits } from './commands/command-dispatcher.js';
import { HistoryCommands } from './commands/history-commands.js';
import { LoginChanges } from './commands/login-changes.js';
import { ok, type CommandHandlers } from './commands/outcome.js';
import { RoomCommands, type RoomOptions } from './commands/room-commands.js';
import { SendCommand, type SentMessages } from './commands/send-command.js';
import { SubscribeCommands } from './commands/subscribe-commands.js';
import type { Endpoint, LocalStreams } from './delivery/connection.js';
import { ConnectionTable } from './delivery/connection-table.js';
import { Delivery } from './delivery/delivery.js';
import { LocalStreamTable } from './delivery/local-streams.js';
import { Sender } from './delivery/sender.js';
import { Takes } from './delivery/takes.js';
import { Edge } from './edge.js';
import { Endpoints } from './endpoints.js';
import { FramedEndpoint } from './framed-endpoint.js';
import { Handshaker, type HandshakeOptions } from './handshake/handshaker.js';
import { HandshakeReception } from './handshake/reception.js';
import { RefusalLog } from './handshake/refusal-log.js';
import { CloseLog } from './node/close-log.js';
import { Capacity } from './node/capacity.js';
import { ClusterSurvey } from './node/cluster-survey.js';
import { Lifetimes } from './node/lifetimes.js';
import { Rebuild } from './node/rebuild.js';
import { Reloads } from './node/reloads.js';
import { PipeEndpoint, type PipeOptions } from './pipes/pipe-endpoint.js';
import { Pipes } from './pipes/pipes.js';
import { DeliverySpans } from '../spans/delivery-spans.js';
import type { SpanSink } from '../spans/span.js';
import { CatchUp } from './subscriptions/catch-up.js';
import { Interests } from './subscriptions/interests.js';
import { Subscriber } from './subscriptions/subscriber.js';
import { ToldPositions } from './subscriptions/told-positions.js';
import { TopicAccess } from './subscriptions/topic-access.js';

/** Bytes of answers and broadcasts that a slow client may have waiting. */
const ANSWER_QUEUE_BYTES = 256 * 1024;

export interface EdgeDeps {
  /** Called when the node shall go away: the process owns the order of a shutdown. */
  readonly onDrain?: () => void;
  readonly engine: Engine;
  readonly verifier: TokenVerifier;
  /** Asked about handshakes without a token; absent: nobody is. */
  readonly identifier?: HandshakeIdentifier | undefined;
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
  /** Absent: nothing is traced. */
  readonly tracing?: Tracing;
  /** Taker of spans; null or absent: none are wanted. */
  readonly spanSink?: SpanSink | null;
  readonly traces?: Pick<Traces, 'take'>;
  /** Absent: the node keeps none. */
  readonly readings?: ReadingLog;
  /** False while the process cannot hold one more socket, whatever the limit says; absent: it can. */
  readonly hasRoom?: (() => boolean) | undefined;
}

/** What one connection may ask for; 0: no limit. */
export interface EdgeLimits extends RequestLimits {
  readonly sendsPerSecond: number;
  readonly surveysPerSecond: number;
  /** Size of an answer of `history`. */
  readonly historyBytes: number;
}

/** Limits and origins are read where they are used: the application may give them new values at any time. */
export interface EdgeOptions extends HandshakeOptions {
  readonly topics: readonly TopicPolicy[];
  readonly topicsPerConnection: number;
  /** Sockets of this process; 0: no limit. */
  readonly connectionsMax: number;
  /** How long a connection may live; 0: no limit. */
  readonly maxLifetimeMs: number;
  readonly heartbeatMs: number;
  readonly limits: EdgeLimits;
  readonly subscriptionsPerConnection: number;
  readonly hubs: readonly string[];
  /** Path of server-sent events; null: there are none. */
  readonly eventsPath: string | null;
  readonly pipes: readonly PipeOptions[];
  /** Bytes that a back end may ask for in one message over its link. */
  readonly pipeActionBytes: number;
  readonly rooms: RoomOptions;
  /** `send` works on every endpoint, not on hubs only. */
  readonly sendEverywhere: boolean;
}

/** Puts an edge together: from the last step to a socket up to the two interfaces that transport and engine call. */
export function createEdge(deps: EdgeDeps, options: EdgeOptions): Edge {
  const { engine, links, stats, logger, onDrain = () => undefined } = deps;
  const parts = createDelivery(deps, options);
  const capacity = new Capacity({ ...deps, ...parts }, options);
  const loginChanges = new LoginChanges({ ...deps, ...parts }, options);
  const reloads = new Reloads({ ...deps, ...parts });
  const commands = createCommands({ ...deps, ...parts, loginChanges, reloads }, options);
  const endpoints = createEndpoints({ ...deps, ...parts, commands }, options);
  const pipes = new Pipes({ ...deps, ...parts }, options.pipes, { actionBytes: options.pipeActionBytes });
  const reception = new HandshakeReception({ ...deps, ...parts, endpoints }, options);
  return new Edge({
    ...parts,
    reception,
    loginChanges,
    endpoints,
    handshaker: new Handshaker({ ...deps, ...parts, reception, capacity }, options),
    reloads,
    rebuild: new Rebuild({ ...deps, ...parts }, options),
    engine,
    stats,
    logger,
    refusalLog: new RefusalLog({ ...deps, ...parts }),
    closeLog: new CloseLog(logger),
    clientAddress: options.clientAddress,
    presence: deps.presence,
    traces: deps.traces ?? { take: () => undefined },
    capacity,
    lifetimes: new Lifetimes(options),
    toldPositions: new ToldPositions({ engine, ...parts }),
    startLinks: () => links.start(pipes),
    onDrain,
  });
}

/** What moves frames to sockets, and who is subscribed to what. */
interface DeliveryParts {
  readonly connections: ConnectionTable;
  readonly localStreams: LocalStreams;
  readonly sender: Sender;
  readonly delivery: Delivery;
  readonly takes: Takes;
  readonly interests: Interests;
  readonly subscriber: Subscriber;
  readonly catchUp: CatchUp;
  readonly access: TopicAccess;
  readonly survey: ClusterSurvey;
  readonly tracing: Tracing;
}

function createDelivery(deps: EdgeDeps, options: EdgeOptions): DeliveryParts {
  const { engine, stats, logger, subscriptions, readings, tracing = nothingTraced, spanSink = null } = deps;
  const connections = new ConnectionTable(stats);
  const localStreams: LocalStreams = new LocalStreamTable();
  const sender = new Sender(stats, { answerQueueBytes: ANSWER_QUEUE_BYTES, tracing });
  const takes = new Takes({ outcomes: engine.outcomes, logger });
  const spans = spanSink === null ? null : new DeliverySpans(spanSink, options.node);
  const delivery = new Delivery({ localStreams, sender, takes, stats, tracing, spans });
  const interests = new Interests(engine);
  const catchUp = new CatchUp({ engine, delivery, sender, logger });
  const subscriber = new Subscriber({ engine, localStreams, delivery, interests, catchUp, stats, subscriptions });
  const access = new TopicAccess(options.topics, options);
  const survey = new ClusterSurvey({ engine, logger, localStreams, connections, readings }, options);
  const served = { connections, localStreams, sender, delivery, takes };
  return { ...served, interests, subscriber, catchUp, access, survey, tracing };
}

type CommandDeps = EdgeDeps & DeliveryParts & { readonly loginChanges: LoginChanges; readonly reloads: Reloads };

function createCommands(deps: CommandDeps, options: EdgeOptions): CommandDispatcher {
  const { rooms, hubs, sendEverywhere, limits } = options;
  const sending = { hubs, everywhere: sendEverywhere, roomRetention: rooms.policy.retention, limits };
  const reading = { roomPolicy: rooms.policy, limits };
  const handlers: CommandHandlers = {
    ping: () => ok({ time: new Date().toISOString() }),
    ...new SubscribeCommands(deps).handlers,
    ...new RoomCommands(deps.subscriber, rooms).handlers,
    ...new HistoryCommands(deps, reading).handlers,
    ...new AuthenticationCommand(deps).handlers,
    ...new SendCommand(deps, sending).handlers,
  };
  const backends = new BackendCommandHandler(deps, options);
  return new CommandDispatcher({ ...deps, backends }, handlers, { limits, loginCommands });
}

function createEndpoints(
  deps: EdgeDeps & DeliveryParts & { commands: CommandDispatcher },
  options: EdgeOptions,
): Endpoints {
  const { node, heartbeatMs, hubs, pipes, limits, eventsPath } = options;
  const countConnections = (): number => deps.connections.size;
  const framed = [
    ...builtInPaths.map((builtIn) => ({ ...builtIn, hub: null })),
    ...hubs.map((hub) => ({ path: HUB_PATH + hub, guests: false, hub })),
  ];
  const framedEndpoint = (path: { path: string; guests: boolean; hub: string | null }): Endpoint =>
    new FramedEndpoint(deps.commands, { ...path, node, heartbeatMs, countConnections });
  return new Endpoints(
    [...framed.map(framedEndpoint), ...pipes.map((pipe) => new PipeEndpoint(deps, pipe, limits))],
    eventsPath === null ? null : framedEndpoint({ path: eventsPath, guests: false, hub: null }),
  );
}
