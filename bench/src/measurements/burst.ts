/** Measures how fast one node brings a pile of records from Kafka to its sockets, and what each record costs. */
import {
  LoadProducer,
  settled,
  SocketFleet,
  startBareConsumer,
  UsageSeries,
  verify,
  type Arrivals,
  type LoadShape,
} from '@ws-gateway/load-generator';
import { runBench, type Bench } from '../lib/bench.js';
import { ADMIN_TOKEN, tokenOf, type Gateway } from '../lib/gateway.js';
import { startKafkaGate } from '../lib/start-gate.js';
import { GATEWAY_CORE, LOAD_CORE } from '../lib/machine.js';
import { busyFigures, type Figure, type Report } from '../lib/report.js';
import { createTopics } from '../lib/servers.js';
import { throughputWindow, type ThroughputWindow } from '../lib/throughput-window.js';

/** Time in ms without any frame: longer than the gateway needs to notice that Kafka is there and to join its group. */
const QUIET_MS = 15_000;

/**
 * The first `warmup` records are delivered like all others, but not counted: the program is compiled by then. `history`
 * is what each stream keeps, `memory` 1 takes the embedded engine, `workers` is the number of client processes. With
 * `deliveries` 1 the outcome of each record is written to Kafka, with `trace` 1 somebody follows a user whom no record is for,
 * with `spans` 1 there is a taker of spans that no record is chosen for.
 */
const defaults = {
  users: 5_000,
  records: 200_000,
  warmup: 40_000,
  bytes: 512,
  history: 100,
  memory: 0,
  nodes: 1,
  partitions: 6,
  workers: 1,
  deliveries: 0,
  trace: 0,
  spans: 0,
};
type Options = typeof defaults;

await runBench('burst', defaults, measure);

async function measure(bench: Bench<Options>): Promise<Report> {
  const { users, records, warmup, bytes, partitions, workers } = bench.options;
  const { brokers, admin, redisPid } = bench.servers;
  const shape = { users, records: records + warmup };
  const kafkaTopic = bench.id;
  await createTopics(admin, [kafkaTopic], partitions);

  bench.log(`producing ${shape.records} records`);
  const produce = { ...shape, brokers, kafkaTopic, partitions, recordBytes: bytes };
  const producer = await LoadProducer.connect(produce);
  await producer.sendAll();
  await producer.disconnect();
  bench.log('reading them with a bare consumer');
  const baseline = await readBare(bench, kafkaTopic, shape);

  const gate = bench.ends(await startKafkaGate(brokers));
  const gateways = await startGateways(bench, gate.brokers);
  if (bench.options.trace) bench.ends(await followNobody(gateways[0]!));
  bench.log(`connecting ${users} clients`);
  const clients = { shape, topics: ['notifications'], tokenOf, workers, targets: gateways };
  const fleet = bench.ends(await SocketFleet.connect(clients));
  const pids = {
    gateway: gateways.map(({ pid }) => pid),
    ...(redisPid !== null && { redis: [redisPid] }),
    clients: fleet.pids,
  };
  const usage = new UsageSeries(pids, [GATEWAY_CORE, LOAD_CORE]);
  bench.log('letting the gateway read');
  gate.open();
  await settled(async () => (await fleet.state()).arrived, shape.records, QUIET_MS);
  usage.stop();

  const frames = await fleet.arrivals();
  return {
    figures: [
      ...figuresOf(throughputWindow(frames, warmup), usage, bench.options),
      { name: 'records/s with warm-up', value: throughputWindow(frames, 0).perSecond, unit: '/s' },
      { name: 'bare consumer: records', value: baseline.perSecond, unit: '/s' },
      { name: 'bare consumer: CPU per record', value: baseline.cpuMicros, unit: 'µs' },
    ],
    verdicts: { gateway: verify(frames, shape.records), 'bare consumer': verify(baseline.arrivals, shape.records) },
  };
}

function startGateways(bench: Bench<Options>, brokers: string): Promise<Gateway[]> {
  const { nodes, memory, history, deliveries, spans } = bench.options;
  const engine = memory ? 'memory' : 'redis';
  const topics = { notifications: bench.id };
  const settings = {
    ...(deliveries && {
      deliveries: { enabled: true, kafkaTopic: `${bench.id}-deliveries`, outcomes: ['delivered', 'offline'] },
      topics: { notifications: { deliveries: true } },
    }),
    // Nobody listens there, and nothing is sent.
    ...(spans && { tracing: { otlpUrl: 'http://127.0.0.1:9/v1/traces', ratio: 0 } }),
  };
  const start = () => bench.gateway({ topics, until: '/health', brokers, engine, history, settings });
  return Promise.all(Array.from({ length: nodes }, start));
}

/** Makes each node look at each message. Resolves when they do. */
async function followNobody({ host, port }: Gateway): Promise<{ stop(): Promise<void> }> {
  const aborter = new AbortController();
  const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
  const url = `http://${host}:${port}/api/trace?user=nobody`;
  const { status } = await fetch(url, { headers, signal: aborter.signal });
  if (status !== 200) throw new Error(`the trace was refused: ${status}`);
  return { stop: async () => aborter.abort() };
}

function figuresOf(
  { records, fromMicros, toMicros, perSecond }: ThroughputWindow,
  usage: UsageSeries,
  { memory, history }: Options,
): Figure[] {
  const cpu = usage.between(fromMicros, toMicros);
  const each = (name: string): number => ((cpu[name] ?? NaN) * 1e6) / records;
  return [
    { name: 'records/s', value: perSecond, unit: '/s', atLeast: memory ? 65_000 : history > 0 ? 45_000 : 50_000 },
    { name: 'CPU of the gateway per record', value: each('gateway'), unit: 'µs', atMost: 17 },
    { name: 'CPU of Redis per record', value: each('redis'), unit: 'µs', atMost: 10 },
    { name: 'CPU of the clients per record', value: each('clients'), unit: 'µs' },
    ...busyFigures(cpu, (toMicros - fromMicros) / 1e6, ['gateway']),
  ];
}

async function readBare(
  bench: Bench<Options>,
  kafkaTopic: string,
  shape: LoadShape,
): Promise<{ arrivals: Arrivals; perSecond: number; cpuMicros: number }> {
  const task = { brokers: bench.servers.brokers, kafkaTopic, groupId: `${bench.id}-baseline`, shape };
  const consumer = await startBareConsumer(task, { core: GATEWAY_CORE });
  const usage = new UsageSeries({ consumer: [consumer.pid] });
  await settled(() => consumer.received(), shape.records, QUIET_MS);
  usage.stop();
  const arrivals = await consumer.arrivals();
  await consumer.stop();
  const { records, fromMicros, toMicros, perSecond } = throughputWindow(arrivals, bench.options.warmup);
  const seconds = usage.between(fromMicros, toMicros)['consumer']!;
  return { arrivals, perSecond, cpuMicros: (seconds * 1e6) / records };
}
