/** Measures what a delivery costs a gateway by server-sent events and by WebSocket, in turns on one node. */
import { ChildWorker, LoadProducer, nowMicros, UsageSeries } from '@ws-gateway/load-generator';
import { runBench, type Bench } from '../lib/bench.js';
import { tokenOf, type Gateway } from '../lib/gateway.js';
import { GATEWAY_CORE } from '../lib/machine.js';
import { addVerdicts, busyFigures, mean, median, NO_VERDICT, sumOf, type Figure, type Report } from '../lib/report.js';
import { createTopics, groupIsStable } from '../lib/servers.js';
import { waitFor } from '../lib/wait.js';
import type { TransportTask } from '../workers/transport-worker.js';

const PARTITIONS = 6;
const TICK_MS = 5;
const ARRIVAL_TIMEOUT_MS = 30_000;
const TOPIC = 'notifications';
const KINDS = ['websocket', 'sse'] as const;

/** The first `warmup` rounds are delivered and checked like the others, but not measured. */
const defaults = { clients: 500, rate: 100, seconds: 5, bytes: 200, rounds: 3, warmup: 1 };

await runBench('sse', defaults, measure);

interface Stretch {
  readonly kind: (typeof KINDS)[number];
  readonly fromMicros: number;
  readonly toMicros: number;
}

async function measure(bench: Bench<typeof defaults>): Promise<Report> {
  const { clients, rounds, warmup } = bench.options;
  const { admin } = bench.servers;
  const kafkaTopic = `${bench.id}-n`;
  await createTopics(admin, [kafkaTopic], PARTITIONS);
  const gateway = await bench.gateway({
    topics: { [TOPIC]: kafkaTopic },
    until: '/ready',
    settings: { heartbeat: '900s' },
  });
  await groupIsStable(admin, bench.id, 1);
  const worker = bench.ends(new ChildWorker(new URL('../workers/transport-worker.js', import.meta.url)));
  const usage = new UsageSeries({ gateway: [gateway.pid], clients: [worker.pid] }, [GATEWAY_CORE]);
  bench.ends({ stop: async () => usage.stop() });
  const tokens = Array.from({ length: clients }, (_, at) => tokenOf(`client-${at}`));
  const stretches: Stretch[] = [];
  let verdict = NO_VERDICT;
  for (let round = 0; round < warmup + rounds; round++) {
    for (const kind of KINDS) {
      bench.log(`round ${round + 1} of ${warmup + rounds}: ${kind}`);
      const { host, port } = gateway;
      await worker.call('connect', { kind, host, port, topic: TOPIC, tokens } satisfies TransportTask);
      const { fromMicros, toMicros, least, most } = await runPhase(bench, worker, kafkaTopic);
      await worker.call('cut');
      await everybodyLeft(gateway);
      const records = bench.options.rate * bench.options.seconds;
      verdict = addVerdicts(verdict, {
        ...NO_VERDICT,
        received: least,
        lost: records - least,
        duplicates: Math.max(0, most - records),
      });
      if (round >= warmup) stretches.push({ kind, fromMicros, toMicros });
    }
  }
  usage.stop();
  return { figures: figuresOf(bench.options, usage, stretches), verdicts: { 'the client with the least': verdict } };
}

async function runPhase({ options, servers }: Bench<typeof defaults>, worker: ChildWorker, kafkaTopic: string) {
  const { rate, seconds, bytes } = options;
  const shape = { users: PARTITIONS, records: rate * seconds };
  const { brokers } = servers;
  const headers = { 'ws-audience': 'topic' };
  const access = { ...shape, brokers, kafkaTopic, partitions: PARTITIONS, recordBytes: bytes, headers };
  const producer = await LoadProducer.connect(access);
  await producer.sendPacedInOrder(rate, TICK_MS);
  let counts = { least: 0, most: 0 };
  await waitFor('all clients to have all messages', ARRIVAL_TIMEOUT_MS, async () => {
    counts = await worker.call<typeof counts>('counts');
    return counts.least >= shape.records;
  });
  // Not with the last record: what the node has still to write then is part of the cost.
  const toMicros = nowMicros();
  await producer.disconnect();
  return { ...counts, fromMicros: producer.sentAt[0]!, toMicros };
}

async function everybodyLeft({ host, port }: Gateway): Promise<void> {
  await waitFor('the clients to be gone', 10_000, async () => {
    const response = await fetch(`http://${host}:${port}/health`);
    return ((await response.json()) as { client_count: number }).client_count === 0;
  });
}

function figuresOf(options: typeof defaults, usage: UsageSeries, stretches: readonly Stretch[]): Figure[] {
  const { clients, rate, seconds: sending } = options;
  const all = stretches.map(({ kind, fromMicros, toMicros }) => {
    const seconds = (toMicros - fromMicros) / 1e6;
    const cpu = usage.between(fromMicros, toMicros);
    return { kind, seconds, cpu, micros: ((cpu['gateway'] ?? NaN) * 1e6) / (sending * rate * clients) };
  });
  const of = (kind: Stretch['kind']): number[] => all.filter((one) => one.kind === kind).map(({ micros }) => micros);
  const ratios = of('sse').map((micros, round) => micros / of('websocket')[round]!);
  return [
    { name: 'deliveries/s', value: rate * clients, unit: '/s' },
    ...KINDS.flatMap((kind) => [
      { name: `${kind}: CPU of the gateway per delivery`, value: mean(of(kind)), unit: 'µs' },
      { name: `${kind}: least of a round`, value: Math.min(...of(kind)), unit: 'µs' },
    ]),
    { name: 'sse against websocket, median of rounds', value: median(ratios), unit: '' },
    ...busyFigures(
      sumOf(all.map(({ cpu }) => cpu)),
      all.reduce((sum, { seconds }) => sum + seconds, 0),
      ['gateway'],
    ),
  ];
}
