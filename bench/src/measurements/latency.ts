/** Measures the time from producing a record to its frame at a client on either of two nodes, at a steady rate. */
import {
  LoadProducer,
  percentilesOf,
  settled,
  SocketFleet,
  startBareConsumer,
  UsageSeries,
  verify,
  type Arrivals,
  type Percentiles,
} from '@ws-gateway/load-generator';
import { runBench, type Bench } from '../lib/bench.js';
import { tokenOf, type Gateway, type GatewaySettings } from '../lib/gateway.js';
import { GATEWAY_CORE, LOAD_CORE } from '../lib/machine.js';
import { busyFigures, type Figure, type Report } from '../lib/report.js';
import { createTopics, groupIsStable } from '../lib/servers.js';

const PARTITIONS = 6;
const QUIET_MS = 3_000;

const defaults = {
  ...{ users: 5_000, rate: 5_000, seconds: 30, warmup: 10, bytes: 512, nodes: 2, tick: 5, baseline: 1 },
  /** Keys that a client is subscribed to, of a topic of as many keys as there are users; 0: records are for users. */
  keys: 0,
  /** 1: each client is in a room of its own, and records are for rooms. */
  rooms: 0,
};

await runBench('latency', defaults, measure);

async function measure(bench: Bench<typeof defaults>): Promise<Report> {
  const { users, rate, seconds, warmup, bytes, nodes, tick, baseline, keys, rooms } = bench.options;
  const { brokers, admin, redisPid } = bench.servers;
  const shape = { users, records: rate * (warmup + seconds), perSocket: Math.max(1, keys) };
  const kafkaTopic = bench.id;
  await createTopics(admin, [kafkaTopic], PARTITIONS);

  bench.log(`starting ${nodes} gateways`);
  const topics = { notifications: kafkaTopic };
  const settings = settingsFor(bench.options);
  const gateways = await Promise.all(
    Array.from({ length: nodes }, () => bench.gateway({ topics, settings, until: '/ready' })),
  );
  await groupIsStable(admin, bench.id, nodes);
  bench.log(`connecting ${Math.ceil(users / shape.perSocket)} clients`);
  const named = { ...(keys > 0 && { keyed: 'notifications' }), rooms: rooms > 0 };
  const clients = { shape, topics: ['notifications'], tokenOf, ...named };
  const fleet = bench.ends(await SocketFleet.connect({ ...clients, targets: gateways }));
  // The baseline runs beside the gateways on their core: it shows what it costs to read the same records there and do
  // nothing with them.
  const task = { brokers, kafkaTopic, groupId: `${bench.id}-baseline`, shape };
  const consumer = baseline === 0 ? null : bench.ends(await startBareConsumer(task, { core: GATEWAY_CORE }));
  const producer = await LoadProducer.connect({
    ...shape,
    brokers,
    kafkaTopic,
    partitions: PARTITIONS,
    recordBytes: bytes,
  });

  bench.log(`producing ${rate} records/s for ${warmup} + ${seconds} s`);
  const pids = {
    gateways: gateways.map(({ pid }) => pid),
    ...(consumer !== null && { 'bare consumer': [consumer.pid] }),
    ...(redisPid !== null && { redis: [redisPid] }),
    clients: fleet.pids,
    producer: [process.pid],
  };
  const usage = new UsageSeries(pids, [GATEWAY_CORE, LOAD_CORE]);
  await producer.sendPaced(rate, tick);
  await settled(async () => (await fleet.state()).arrived, shape.records, QUIET_MS);
  usage.stop();
  const batches = await countedBatches(gateways);
  await producer.disconnect();

  const frames = await fleet.arrivals();
  const read = (await consumer?.arrivals()) ?? null;
  return report(bench.options, { producer, frames, read, usage, batches });
}

/** How batches came to the nodes, from the beginning on. */
async function countedBatches(gateways: readonly Gateway[]): Promise<{ announced: number; read: number }> {
  const pages = await Promise.all(
    gateways.map(async ({ host, port }) => (await fetch(`http://${host}:${port}/metrics`)).text()),
  );
  const count = (way: string): number =>
    pages.reduce((sum, page) => {
      const [, value = 0] =
        new RegExp(`^ws_gateway_engine_inbox_batches_total\\{.*"${way}".*\\} (\\d+)`, 'm').exec(page) ?? [];
      return sum + Number(value);
    }, 0);
  return { announced: count('announced'), read: count('read') };
}

/** Rooms keep as much as topics do; frames are the same but for where they say whose they are. */
function settingsFor({ keys, rooms }: typeof defaults): GatewaySettings {
  const to = (member: string) => ({ format: 'json', map: { [member]: 'value:/user_id', payload: 'value:/payload' } });
  if (keys > 0) return { topics: { notifications: { ...to('keyed'), keysPerConnection: keys } } };
  return rooms > 0 ? { topics: { notifications: to('room') }, rooms: { history: { size: 100, ttl: '1h' } } } : {};
}

interface Outcome {
  readonly producer: LoadProducer;
  readonly frames: Arrivals;
  /** Arrivals at the bare consumer; null: there was none. */
  readonly read: Arrivals | null;
  readonly usage: UsageSeries;
  readonly batches: { readonly announced: number; readonly read: number };
}

function report(
  { rate, seconds, warmup }: typeof defaults,
  { producer, frames, read, usage, batches }: Outcome,
): Report {
  const { sentAt, acknowledgedAt } = producer;
  const first = rate * warmup;
  const between = (from: Float64Array, to: Float64Array): Percentiles => percentilesOf(differences(from, to, first));
  const acknowledged = between(sentAt, acknowledgedAt);
  const frame = between(sentAt, frames.times);
  const bare = read === null ? null : between(sentAt, read.times);
  const cpu = usage.between(sentAt[first]!, sentAt.at(-1)!);
  return {
    latencies: {
      'Kafka acknowledges': acknowledged,
      ...(bare !== null && { 'bare consumer reads': bare }),
      'client has the frame': frame,
      'frame after acknowledgement, same record': between(acknowledgedAt, frames.times),
      ...(read !== null && { 'frame after bare consumer, same record': between(read.times, frames.times) }),
    },
    figures: [
      { name: 'median above acknowledgement', value: frame.p50 - acknowledged.p50, unit: 'ms', atMost: 2 },
      { name: 'p99 above acknowledgement', value: frame.p99 - acknowledged.p99, unit: 'ms', atMost: 15 },
      ...(bare === null ? alone(frame) : aboveBaseline(frame, bare)),
      { name: 'CPU of the gateways per record', value: (cpu['gateways']! * 1e6) / (rate * seconds), unit: 'µs' },
      ...('redis' in cpu
        ? [{ name: 'CPU of Redis per record', value: (cpu['redis']! * 1e6) / (rate * seconds), unit: 'µs' }]
        : []),
      { name: 'batches that the channel brought', value: batches.announced / (warmup + seconds), unit: 'a second' },
      { name: 'batches that were read', value: batches.read / (warmup + seconds), unit: 'a second' },
      ...busyFigures(cpu, seconds, ['gateways', 'bare consumer']),
    ],
    verdicts: {
      gateway: verify(frames, producer.produced),
      ...(read !== null && { 'bare consumer': verify(read, producer.produced) }),
    },
  };
}

function aboveBaseline(frame: Percentiles, bare: Percentiles): Figure[] {
  return [
    { name: 'median above bare consumer', value: frame.p50 - bare.p50, unit: 'ms', atMost: 1 },
    { name: 'p99 above bare consumer', value: frame.p99 - bare.p99, unit: 'ms', atMost: 6 },
  ];
}

/** Figures with the goals of `crowd`: a record a second for each of 15,000 clients of one node. */
function alone(frame: Percentiles): Figure[] {
  return [
    { name: 'mean', value: frame.mean, unit: 'ms', atMost: 6 },
    { name: 'p99', value: frame.p99, unit: 'ms', atMost: 35 },
  ];
}

/** Differences in ms, of the records from `first` on that have both times. */
function differences(from: Float64Array, to: Float64Array, first: number): Float64Array {
  const found: number[] = [];
  for (let n = first; n < from.length; n++) if (from[n] !== 0 && to[n] !== 0) found.push((to[n]! - from[n]!) / 1e3);
  return Float64Array.from(found);
}
