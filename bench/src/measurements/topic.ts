/**
 * Measures the way from Kafka to 1,000 subscribers of one topic's public stream, without and with some of them that
 * never read.
 */
import {
  LoadProducer,
  percentilesOf,
  UsageSeries,
  type LoadShape,
  type SocketTarget,
  type Verdict,
} from '@ws-gateway/load-generator';
import { runBench, type Bench } from '../lib/bench.js';
import { SubscriberProcess } from '../lib/subscriber-process.js';
import { tokenOf, type Gateway } from '../lib/gateway.js';
import { GATEWAY_CORE, LOAD_CORE } from '../lib/machine.js';
import { addVerdicts, busyFigures, sumOf, type Figure, type Report } from '../lib/report.js';
import { createTopics, groupIsStable } from '../lib/servers.js';
import { waitFor } from '../lib/wait.js';

const PARTITIONS = 6;
const TICK_MS = 5;
const QUIET_MS = 10_000;
const FILL_TIMEOUT_MS = 20_000;

/**
 * Records for the sockets that stall only. They fill what the kernel buffers for these sockets (about 4 MB), so that
 * they lag at once.
 */
const BALLAST = { topic: 'ballast', records: 150, bytes: 60_000, perSecond: 30 };

/** The first `warmup` seconds of each phase are delivered and checked like the others, but not measured. */
const defaults = {
  subscribers: 1_000,
  /** Share of the sockets that stall, in percent. */
  stalled: 5,
  sampled: 20,
  rate: 1_200,
  bytes: 200,
  seconds: 6,
  warmup: 1,
  pairs: 2,
};

await runBench('topic', defaults, measure);

async function measure(bench: Bench<typeof defaults>): Promise<Report> {
  const { pairs, stalled } = bench.options;
  const setup = await open(bench);
  bench.log('warming up');
  const verdicts = { gateway: (await runPhase(bench, setup)).verdict };
  const all: Phase[] = [];
  const some: Phase[] = [];
  for (let pair = 1; pair <= pairs; pair++) {
    bench.log(`${pair} of ${pairs}: everybody reads`);
    all.push(await runPhase(bench, setup));
    if (stalled === 0) continue;
    await stall(bench, setup);
    bench.log(`${pair} of ${pairs}: ${stalled} % never read`);
    some.push(await runPhase(bench, setup));
    await setup.clients.replaceStalled(setup.stalling);
  }
  setup.usage.stop();
  for (const phase of [...all, ...some]) verdicts.gateway = addVerdicts(verdicts.gateway, phase.verdict);
  return report(bench.options, setup.usage, { all, some, verdicts });
}

interface TopicSetup {
  readonly gateway: Gateway;
  readonly clients: SubscriberProcess;
  readonly stalling: readonly SocketTarget[];
  readonly kafkaTopic: string;
  readonly ballastTopic: string;
  readonly usage: UsageSeries;
}

async function open(bench: Bench<typeof defaults>): Promise<TopicSetup> {
  const { subscribers, sampled, stalled } = bench.options;
  const { admin, redisPid } = bench.servers;
  const [kafkaTopic, ballastTopic] = [`${bench.id}-n`, `${bench.id}-b`];
  await createTopics(admin, [kafkaTopic, ballastTopic], PARTITIONS);
  const gateway = await bench.gateway({
    topics: { notifications: kafkaTopic, [BALLAST.topic]: ballastTopic },
    until: '/ready',
    // By default a socket that lags is closed within a second at this rate, and would then cost nothing any more.
    settings: {
      heartbeat: '900s',
      topics: {
        notifications: { slow: 'drop-oldest' },
        [BALLAST.topic]: { slow: 'drop-oldest', queueBytes: '64kb', history: { size: 0 } },
      },
    },
  });
  await groupIsStable(admin, bench.id, 1);
  bench.log(`connecting ${subscribers} clients`);
  const count = Math.round((subscribers * stalled) / 100);
  const targetsOf = (topics: string, from: number, end: number): SocketTarget[] =>
    Array.from({ length: end - from }, (_, i) => {
      const { host, port } = gateway;
      return { host, port, path: `/ws?topics=${topics}`, token: tokenOf(`subscriber-${from + i}`) };
    });
  const stalling = targetsOf(`notifications,${BALLAST.topic}`, subscribers - count, subscribers);
  const targets = targetsOf('notifications', 0, subscribers - count);
  const clients = bench.ends(await SubscriberProcess.connect({ targets, sampled, stalling }));
  const redis = redisPid === null ? {} : { redis: [redisPid] };
  const pids = { gateway: [gateway.pid], ...redis, clients: [clients.pid], producer: [process.pid] };
  const usage = new UsageSeries(pids, [GATEWAY_CORE, LOAD_CORE]);
  bench.ends({ stop: async () => usage.stop() });
  return { gateway, clients, stalling, kafkaTopic, ballastTopic, usage };
}

/** Resolves when each stalled socket has a queue of its own, behind buffers that are full. */
async function stall(
  bench: Bench<typeof defaults>,
  { clients, gateway, stalling, ballastTopic }: TopicSetup,
): Promise<void> {
  await clients.stall();
  const { records, bytes, perSecond } = BALLAST;
  const shape = { users: 1, records };
  const producer = await connectProducer(bench, { kafkaTopic: ballastTopic, shape, recordBytes: bytes });
  // Not faster: what was due while others had the core goes out together, and a broker takes no more than 1 MB at once.
  await producer.sendPacedInOrder(perSecond, TICK_MS);
  await producer.disconnect();
  await waitFor('the stalled sockets to be in their lanes', FILL_TIMEOUT_MS, async () => {
    const text = await (await fetch(`http://${gateway.host}:${gateway.port}/metrics`)).text();
    const waiting = /^ws_gateway_websocket_message_buffer_size (\d+)/m.exec(text)?.[1];
    return Number(waiting) >= stalling.length;
  });
}

interface Phase {
  readonly verdict: Verdict;
  /** Times in ms from the producer's call: to the acknowledgement, and to the frame at a client. */
  readonly acknowledged: Float64Array;
  readonly latencies: Float64Array;
  readonly fromMicros: number;
  readonly toMicros: number;
}

async function runPhase(bench: Bench<typeof defaults>, { clients, kafkaTopic }: TopicSetup): Promise<Phase> {
  const { rate, seconds, warmup, bytes } = bench.options;
  const shape = { users: PARTITIONS, records: rate * (warmup + seconds) };
  const producer = await connectProducer(bench, { kafkaTopic, shape, recordBytes: bytes });
  await clients.begin({ records: shape.records, keys: PARTITIONS });
  await producer.sendPacedInOrder(rate, TICK_MS);
  const verdict = await clients.finish(QUIET_MS);
  await producer.disconnect();
  const first = rate * warmup;
  const { sentAt, acknowledgedAt } = producer;
  return {
    verdict,
    acknowledged: acknowledgedAt.map((time, n) => (time - sentAt[n]!) / 1e3).subarray(first),
    latencies: await clients.latencies(sentAt, first),
    fromMicros: sentAt[first]!,
    toMicros: sentAt.at(-1)!,
  };
}

function connectProducer(
  bench: Bench<typeof defaults>,
  { kafkaTopic, shape, recordBytes }: { kafkaTopic: string; shape: LoadShape; recordBytes: number },
): Promise<LoadProducer> {
  const { brokers } = bench.servers;
  const headers = { 'ws-audience': 'topic' };
  return LoadProducer.connect({ ...shape, brokers, kafkaTopic, partitions: PARTITIONS, recordBytes, headers });
}

function report(
  { subscribers, rate, stalled }: typeof defaults,
  usage: UsageSeries,
  { all, some, verdicts }: { all: readonly Phase[]; some: readonly Phase[]; verdicts: Report['verdicts'] },
): Report {
  const together = (phases: readonly Phase[], of: 'latencies' | 'acknowledged') =>
    percentilesOf(Float64Array.from(phases.flatMap((phase) => [...phase[of]])));
  const everybody = together(all, 'latencies');
  const others = together(some, 'latencies');
  const seconds = all.reduce((sum, phase) => sum + (phase.toMicros - phase.fromMicros) / 1e6, 0);
  const busy = (phases: readonly Phase[]): Record<string, number> =>
    sumOf(phases.map((p) => usage.between(p.fromMicros, p.toMicros)));
  const cpu = busy(all);
  const perDelivery = (used: Record<string, number>): number =>
    ((used['gateway'] ?? NaN) * 1e6) / (seconds * rate * subscribers);
  const isFast = rate * subscribers > 100_000;
  const figures: Figure[] = [
    { name: 'deliveries/s', value: rate * subscribers, unit: '/s' },
    { name: 'p99, everybody reads', value: everybody.p99, unit: 'ms', atMost: isFast ? 80 : 30 },
    { name: 'CPU of the gateway per delivery', value: perDelivery(cpu), unit: 'µs' },
  ];
  if (some.length > 0) {
    const above = 100 * (others.p99 / everybody.p99 - 1);
    figures.push(
      { name: `p99 of the others, ${stalled} % never read, above that`, value: above, unit: '%', atMost: 10 },
      { name: 'CPU of the gateway per delivery then', value: perDelivery(busy(some)), unit: 'µs' },
    );
  }
  return {
    latencies: {
      'Kafka acknowledges': together(all, 'acknowledged'),
      'client has the frame': everybody,
      ...(some.length > 0 && { [`the same, ${stalled} % never read`]: others }),
      ...Object.fromEntries(all.map((phase, i) => [`phase ${i + 1}: everybody reads`, percentilesOf(phase.latencies)])),
      ...Object.fromEntries(
        some.map((phase, i) => [`phase ${i + 1}: some never read`, percentilesOf(phase.latencies)]),
      ),
    },
    figures: [...figures, ...busyFigures(cpu, seconds, ['gateway'])],
    verdicts,
  };
}
