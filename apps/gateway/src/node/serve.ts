import {
  ClusterSurvey,
  createEdge,
  EdgeStats,
  endByDefect,
  EngineNotifier,
  EngineStats,
  OutcomeReporter,
  Router,
  RouterStats,
  SseTransport,
  Traces,
  TraceSwitch,
  type Edge,
  type EdgeDeps,
  type Engine,
  type Logger,
  type RecordWriter,
  type SpanSink,
  type Tracing,
} from '@ws-gateway/core';
import { KafkajsRecordSource, type KafkaConnectionOptions } from '@ws-gateway/kafka-source';
import type { RegistrySchemaReader } from '@ws-gateway/schema-registry';
import { createMetrics, type Metrics } from '@ws-gateway/telemetry';
import { createUwsTransport, type UwsTransport, type UwsTransportOptions } from '@ws-gateway/uws-transport';
import { createBackendCommands } from './backend-commands.js';
import { createBackendLinks } from './backend-links.js';
import type { Config } from '../config/config.js';
import type { Loaded } from '../config/load.js';
import { createLogging, type Logging } from './logging.js';
import { createOutgoing } from './outgoing.js';
import {
  edgeOptions,
  kafkaConnection,
  opsTransportOptions,
  readsKafka,
  roomRetention,
  routerOptions,
  sseOptions,
  transportOptions,
} from './part-options.js';
import { Certificates } from './certificates.js';
import { descriptorLimit, DescriptorWatch, warnOfFewDescriptors } from './descriptors.js';
import { createEngine } from './engines.js';
import { createIdentities } from './identities.js';
import { firstContact } from './first-contact.js';
import { GrpcPorts } from './grpc.js';
import { hostPort, localHost } from './listen-host.js';
import { readiness, stateOf, type NodeState } from '../http/health.js';
import { addOperations } from '../http/operations.js';
import type { WorkerGroup } from '../http/routes.js';
import { reloaded, type LiveConfig } from './live-config.js';
import { createSchemaReader, schemasOf } from './schema-registry.js';
import { nodeName, version } from './node-name.js';
import { NodeReadings } from './node-readings.js';
import { NodeReport } from './node-report.js';
import { NoSockets } from './no-sockets.js';
import { RouterInbox } from './router-inbox.js';
import { shutDown, type Stoppable } from './shutdown.js';
import { startParts } from './start-parts.js';
import { UnreadTopics } from './unread-topics.js';
import { withoutEffect } from './without-effect.js';

export interface RunningGateway {
  readonly url: string;
  readonly port: number;
  /** Takes over what is live in a configuration that was read again; one with findings changes nothing. */
  reload(next: Pick<Loaded, 'tree' | 'findings'>): void;
  /** Graceful stop; resolves when nothing is left, rejects with the failure if there is one. A second call gives the same. */
  stop(reason: string, failure?: unknown): Promise<void>;
  /** Resolves after a stop; rejects when its deadline ended it. */
  readonly stopped: Promise<void>;
}

/** What a process brings into its group. */
export interface WorkerGroupMember {
  state(): NodeState;
  readonly metrics: Pick<Metrics, 'render' | 'snapshot'>;
  /** For exactly one of the group at a time: these ports can't be shared. */
  openGrpc(): Promise<void>;
}

export type JoinWorkerGroup = (member: WorkerGroupMember) => Promise<WorkerGroup>;

interface Stats {
  readonly edge: EdgeStats;
  readonly router: RouterStats;
  readonly engine: EngineStats;
}

const REPORT_MS = 1000;

/**
 * The composition root: the one file that knows every package, read from top to bottom. Resolves when the port is open;
 * Redis and Kafka may come later, and /ready tells. `join` makes this process one of a group (`server.workers`).
 */
export async function serve(live: LiveConfig, join: JoinWorkerGroup = alone): Promise<RunningGateway> {
  const { config } = live;
  const node = nodeName();
  const { logger, loki, spans } = createLogging(config, node);
  live.add({ reload: ({ logger: { level } }) => logger.setLevel(level) });
  warnOfIdleSettings(config, logger);
  const stats: Stats = { edge: new EdgeStats(), router: new RouterStats(), engine: new EngineStats() };
  const metrics = createMetrics(
    { namespace: config.metrics.namespace, perUser: config.metrics.perUser },
    { ...stats, loki, spans, readiness: () => readiness(stateOf(parts)), info: { version, node, role: config.role } },
  );
  const link = kafkaConnection(config, logger.child({ part: 'kafka' }));
  const outgoing = createOutgoing(config, { node, stats, kafka: link });
  const tracing = new TraceSwitch();
  const engine = createEngine(config, node, {
    stats: stats.engine,
    tracing,
    logger: logger.child({ part: 'engine' }),
    onReaped: (rows) => outgoing.presence?.expired(rows),
  });
  const traces = new Traces({ engine, tracing, logger }, { node });
  const watching = { tracing, traces, spans, readings: new NodeReadings(stats) };
  const backends = createBackendCommands(config, stats.edge.backendRequests);
  const links = createBackendLinks(config, { stats: stats.edge, logger: logger.child({ part: 'links' }) });
  // By the admin API of any node. Whoever waits for the end hears of a stop that fails.
  const onDrain = (): void => {
    // The other workers have the port, too: they shall get the connections that come from now on.
    if (config.server.workers > 1) transport.stopListening();
    void gateway.stop('drain').catch(() => undefined);
  };
  const stopping = new AbortController();
  const descriptors = new DescriptorWatch(logger);
  const made = { ...outgoing, ...watching, onDrain, node, engine, backends, links, descriptors, stats, logger };
  const edge = config.role === 'router' ? null : makeEdge(live, made, stopping.signal);
  const inbox = edge ?? makeRouterInbox(made);
  const transport = createTransport(config, { edge, metrics, stats, logger });
  if (edge !== null) serveEvents(live, { edge, transport, logger });
  const kafka = readsKafka(config) ? createKafka(config, { ...made, link, writer: made.writer! }) : null;
  const outcomes = kafka === null ? null : createReporter(config, { ...made, writer: made.writer! });
  const { source = null, router = null, schemas = null } = kafka ?? {};
  const parts = { engine, edge, source, stats, schemas: schemasOf(config, schemas) };
  const notifier = new EngineNotifier(engine, { roomRetention: roomRetention(config) });
  const grpc = new GrpcPorts(config, { notifier, logger: logger.child({ part: 'grpc' }) });
  const group = await join({ state: () => stateOf(parts), metrics, openGrpc: () => grpc.open() });
  const ops = createOpsServer(config, { metrics, logger });
  watchDescriptors(descriptors, [transport, ops], { stats, stopping: stopping.signal });
  const operated = { node, engine, kafka: link, writer: made.writer, survey: inbox.survey, traces, group, logger };
  addOperations(ops ?? transport, live, operated);
  await ops?.listen();
  const { port } = await transport.listen();
  logListening(config, { port, hasOps: ops !== null }, logger);
  firstContact(config, { kafka: outgoing.writer === null ? null : link }, logger).catch(endByDefect);

  // Nothing of a node that the engine refuses would be found by the others, so it must not look well.
  const refuse = (error: unknown): void => void gateway.stop('the engine refuses', error).catch(() => undefined);
  const started = startParts({ engine, inbox, router, outcomes, logger, refuse }, stopping.signal);
  if (edge !== null) startEdge(edge, config, { engine, stats, logger, stopping: stopping.signal });
  const stoppable = { ...made, started, edge, router, outcomes, outgoing, schemas, server: transport, ops, grpc };
  const certificates = new Certificates(config, { server: transport, grpc }, logger);
  certificates.watch();
  live.add(certificates);
  const gateway = running({ live, port, stoppable, loki, spans }, () => {
    stopping.abort();
    metrics.stop();
    certificates.stop();
  });
  const status = new NodeReport(config, { edge, stats, port, stopping: stopping.signal });
  keepReporting(gateway, { ...watching, status, engine }, stopping.signal);
  return gateway;
}

function logListening(config: Config, { port, hasOps }: { port: number; hasOps: boolean }, logger: Logger): void {
  const { role, engine, server, ops } = config;
  const at = { host: server.host, port, ...(hasOps ? { ops } : {}) };
  logger.info('listening', { pid: process.pid, ...at, role, engine, version });
}

/** From the registration, which must not say nothing, to the very end: the others shall see that this node drains. */
function keepReporting(
  gateway: RunningGateway,
  { status, engine, readings }: { status: NodeReport; engine: Engine; readings: NodeReadings },
  stopping: AbortSignal,
): void {
  const report = (): void => {
    const now = status.now();
    engine.report(now);
    readings.take(now);
  };
  report();
  // Who asked for the drain looks at once whether it has begun.
  stopping.addEventListener('abort', report);
  const timer = setInterval(report, REPORT_MS);
  const end = (): void => clearInterval(timer);
  gateway.stopped.then(end, end);
}

function warnOfIdleSettings(config: Config, logger: Logger): void {
  const idle = withoutEffect(config);
  if (idle.length > 0) logger.warn('settings without effect in this version', { keys: idle });
}

/** A process by itself: it speaks for itself and has the gRPC ports. */
async function alone({ state, metrics, openGrpc }: WorkerGroupMember): Promise<WorkerGroup> {
  await openGrpc();
  return { states: () => Promise.resolve([state()]), metrics: () => metrics.render() };
}

function createTransport(
  config: Config,
  deps: { edge: Edge | null; metrics: Metrics; stats: Stats; logger: Logger },
): UwsTransport {
  const { edge, metrics, stats, logger } = deps;
  const options: UwsTransportOptions = {
    ...transportOptions(config),
    isEndpoint: (path) => edge?.isEndpoint(path) ?? false,
    ...(edge !== null && { unknownEndpoint: (path: string) => edge.unknownEndpoint(path) }),
    onRequest: (method, path, status, seconds) => metrics.observeRequest(method, path, status, seconds),
    onDropped: () => void stats.edge.connectionsDropped++,
  };
  return createUwsTransport(edge ?? new NoSockets(), options, logger.child({ part: 'transport' }));
}

/** Serves server-sent events on the port of the sockets. */
function serveEvents(live: LiveConfig, deps: { edge: Edge; transport: UwsTransport; logger: Logger }): void {
  const options = sseOptions(live);
  if (options === null) return;
  new SseTransport(deps.edge, options, deps.logger.child({ part: 'transport' })).serve(deps.transport);
}

/** null: operators share the port of the clients. */
function createOpsServer(
  config: Config,
  { metrics, logger }: { metrics: Metrics; logger: Logger },
): UwsTransport | null {
  const options = opsTransportOptions(config);
  if (options === null) return null;
  const onRequest: UwsTransportOptions['onRequest'] = (method, path, status, seconds) =>
    metrics.observeRequest(method, path, status, seconds);
  return createUwsTransport(new NoSockets(), { ...options, onRequest }, logger.child({ part: 'ops' }));
}

function startEdge(
  edge: Edge,
  config: Config,
  { engine, stats, logger, stopping }: { engine: Engine; stats: Stats; logger: Logger; stopping: AbortSignal },
): void {
  edge.start();
  if (config.role !== 'edge') return;
  const deps = { engine, stats: stats.router, logger: logger.child({ part: 'kafka' }) };
  new UnreadTopics(deps, [...config.topics.values()]).run(stopping).catch(endByDefect);
}

function watchDescriptors(
  descriptors: DescriptorWatch,
  servers: readonly (UwsTransport | null)[],
  { stats, stopping }: { stats: Stats; stopping: AbortSignal },
): void {
  descriptors.start((isExhausted) => {
    stats.edge.isShortOfDescriptors = isExhausted;
    for (const server of servers) server?.setShort(isExhausted);
  });
  stopping.addEventListener('abort', () => descriptors.stop());
}

interface PartDeps {
  readonly spans: SpanSink | null;
  readonly engine: Engine;
  readonly tracing: Tracing;
  readonly stats: Stats;
  readonly logger: Logger;
}

function makeEdge(
  live: LiveConfig,
  deps: PartDeps & { node: string; descriptors: DescriptorWatch } & Pick<
      EdgeDeps,
      'backends' | 'links' | 'sent' | 'presence' | 'subscriptions' | 'traces' | 'readings' | 'onDrain'
    >,
  stopping: AbortSignal,
): Edge {
  const logger = deps.logger.child({ part: 'edge' });
  const { verifier, identifier } = createIdentities(live.config, { logger, stats: deps.stats.edge });
  verifier.start();
  live.add(verifier);
  stopping.addEventListener('abort', () => verifier.stop());
  warnOfFewDescriptors(descriptorLimit(), logger);
  const hasRoom = (): boolean => !deps.descriptors.isExhausted;
  const edgeDeps = { ...deps, spanSink: deps.spans, verifier, identifier, hasRoom, stats: deps.stats.edge, logger };
  return createEdge(edgeDeps, edgeOptions(live, deps.node));
}

function makeRouterInbox(
  deps: PartDeps & { node: string; traces: Traces; readings: NodeReadings; onDrain: () => void },
): RouterInbox {
  return new RouterInbox({ survey: new ClusterSurvey(deps, deps), traces: deps.traces }, deps.onDrain);
}

function createKafka(
  config: Config,
  deps: Pick<PartDeps, 'engine' | 'tracing' | 'spans' | 'stats'> & {
    link: KafkaConnectionOptions;
    writer: RecordWriter;
  },
): { source: KafkajsRecordSource; router: Router; schemas: RegistrySchemaReader | null } {
  const { engine, tracing, spans, link, writer, stats } = deps;
  const { logger } = link;
  const schemas = createSchemaReader(config, logger);
  const source = new KafkajsRecordSource({
    ...link,
    groupId: config.kafka.groupId,
    topics: [...config.topics.values()].map(({ kafkaTopic }) => kafkaTopic),
    fromBeginning: config.kafka.fromBeginning,
    // Who is blocked is a state: it does not begin when somebody begins to listen.
    wholeTopics: [...config.topics.values()].filter(({ blocks }) => blocks).map(({ kafkaTopic }) => kafkaTopic),
    createTopics: config.kafka.createTopics,
    stats: stats.router,
  });
  const router = new Router(
    { source, engine, writer, schemas, tracing, spans, stats: stats.router, logger },
    routerOptions(config),
  );
  return { source, router, schemas };
}

/** null: nobody wants to know what became of messages. */
function createReporter(
  config: Config,
  deps: Omit<PartDeps, 'tracing' | 'spans'> & { writer: RecordWriter },
): OutcomeReporter | null {
  const { enabled } = config.deliveries;
  return enabled ? new OutcomeReporter({ ...deps, stats: deps.stats.router }, config.deliveries) : null;
}

function running(
  node: { live: LiveConfig; port: number; stoppable: Stoppable } & Pick<Logging, 'loki' | 'spans'>,
  beforeStop: () => void,
): RunningGateway {
  const { live, port, stoppable } = node;
  const { config } = live;
  const end = Promise.withResolvers<void>();
  // Whoever doesn't wait for the end still gets the rejection from `stop`.
  end.promise.catch(() => undefined);
  let called = false;
  const stop = async (reason: string, failure?: unknown): Promise<void> => {
    if (called) return end.promise;
    called = true;
    stoppable.logger.info('stopping', { reason });
    beforeStop();
    const clean = await shutDown(stoppable, config.server.drain);
    stoppable.logger.info('stopped', { clean });
    await node.spans?.stop();
    await node.loki?.stop();
    if (failure !== undefined) end.reject(failure);
    else if (clean) end.resolve();
    else
      end.reject(new Error(`the stop took longer than server.drain.deadline (${config.server.drain.deadlineMs} ms)`));
    return end.promise;
  };
  const scheme = config.server.tls === null ? 'ws' : 'wss';
  const address = hostPort(localHost(config.server.host), port);
  const reload = (next: Pick<Loaded, 'tree' | 'findings'>): void => {
    reloaded(live, next, stoppable.logger);
  };
  return { url: `${scheme}://${address}/ws`, port, reload, stop, stopped: end.promise };
}
