/**
 * Measures how fast a router reads, decodes and encodes records when nothing is done with them, beside a bare consumer.
 */
import {
  LoadProducer,
  ReaderProcess,
  settled,
  startBareConsumer,
  UsageSeries,
  verify,
  type Arrivals,
} from '@ws-gateway/load-generator';
import { avroValue, protobufValue, serveSchemas } from '../lib/encodings.js';
import { runBench, type Bench } from '../lib/bench.js';
import { GATEWAY_CORE } from '../lib/machine.js';
import { median, type Report } from '../lib/report.js';
import type { RouterTask } from '../workers/router-worker.js';
import { createTopics } from '../lib/servers.js';
import { throughputWindow } from '../lib/throughput-window.js';

const PARTITIONS = 6;
const QUIET_MS = 15_000;

/**
 * Sizes of the load. In each of the `rounds` all readers read all records, in turn, each in a fresh process; with `formats` 1
 * there is a reader for each of the other formats, too; with `spans` 1 one that looks at each record whether spans are wanted
 * of it, which they are of none.
 */
const defaults = { records: 500_000, warmup: 100_000, bytes: 512, users: 5_000, rounds: 3, formats: 0, spans: 0 };
type Options = typeof defaults;

/** Formats beside the envelope, and how much more than it a record may cost, in µs. */
const others = [
  { format: 'json', encode: undefined, atMost: 2 },
  { format: 'avro', encode: avroValue, atMost: 8 },
  { format: 'protobuf', encode: protobufValue, atMost: undefined },
] as const;

await runBench('router', defaults, measure);

async function measure(bench: Bench<Options>): Promise<Report> {
  const { rounds, formats } = bench.options;
  const measured = formats === 1 ? others : [];
  await produceAll(bench, bench.id);
  for (const { format, encode } of measured) {
    if (encode !== undefined) await produceAll(bench, `${bench.id}-${format}`, encode);
  }
  const registry = await serveSchemas();
  const passes: Round[] = [];
  for (let round = 1; round <= rounds; round++) {
    bench.log(`round ${round} of ${rounds}`);
    passes.push(await measureRound(bench, { round, measured, registryUrl: registry.url }));
  }
  registry.stop();
  const of = (value: (round: Round) => number): number => median(passes.map(value));
  return {
    figures: [
      { name: 'router: records', value: of(({ router }) => router.perSecond), unit: '/s', atLeast: 250_000 },
      { name: 'router: CPU per record', value: of(({ router }) => router.cpuMicros), unit: 'µs' },
      { name: 'bare consumer: records', value: of(({ bare }) => bare.perSecond), unit: '/s' },
      { name: 'bare consumer: CPU per record', value: of(({ bare }) => bare.cpuMicros), unit: 'µs' },
      {
        name: 'router / bare consumer, CPU',
        value: of(({ router, bare }) => router.cpuMicros / bare.cpuMicros),
        unit: '',
      },
      ...(bench.options.spans === 1
        ? [
            {
              ...{ name: 'spans, of no record: CPU per record, above none', unit: 'µs', atMost: 0.2 },
              value: of(({ router, spanned }) => spanned!.cpuMicros - router.cpuMicros),
            },
          ]
        : []),
      ...measured.map(({ format, atMost }, index) => ({
        name: `${format}: CPU per record, above the envelope`,
        value: of(({ router, others: passed }) => passed[index]!.cpuMicros - router.cpuMicros),
        unit: 'µs',
        ...(atMost === undefined ? {} : { atMost }),
      })),
    ],
    verdicts: {
      router: verify(passes.at(-1)!.router.arrivals, records(bench)),
      'bare consumer': verify(passes.at(-1)!.bare.arrivals, records(bench)),
      ...Object.fromEntries(
        measured.map(({ format }, index) => [format, verify(passes.at(-1)!.others[index]!.arrivals, records(bench))]),
      ),
    },
  };
}

interface Round {
  readonly bare: Pass;
  readonly router: Pass;
  /** null: not measured. */
  readonly spanned: Pass | null;
  readonly others: readonly Pass[];
}

interface RoundOptions {
  readonly round: number;
  readonly measured: readonly (typeof others)[number][];
  readonly registryUrl: string;
}

async function measureRound(bench: Bench<Options>, { round, measured, registryUrl }: RoundOptions): Promise<Round> {
  const { brokers } = bench.servers;
  const [kafkaTopic, groupId] = [bench.id, `${bench.id}-${round}`];
  const shape = { users: bench.options.users, records: records(bench) };
  const consumer = await startBareConsumer(
    { brokers, kafkaTopic, shape, groupId: `${groupId}-bare` },
    { core: GATEWAY_CORE },
  );
  const bare = await pass(bench, consumer);
  const task = { brokers, records: records(bench), registryUrl };
  const router = await pass(bench, await startRouter({ ...task, kafkaTopic, groupId }));
  const spanned =
    bench.options.spans === 1
      ? await pass(bench, await startRouter({ ...task, kafkaTopic, groupId: `${groupId}-spans`, spans: true }))
      : null;
  const passed: Pass[] = [];
  for (const { format, encode } of measured) {
    const own = encode === undefined ? kafkaTopic : `${kafkaTopic}-${format}`;
    passed.push(
      await pass(bench, await startRouter({ ...task, kafkaTopic: own, groupId: `${groupId}-${format}`, format })),
    );
  }
  return { bare, router, spanned, others: passed };
}

function records({ options }: Bench<Options>): number {
  return options.records + options.warmup;
}

async function produceAll(
  bench: Bench<Options>,
  kafkaTopic: string,
  encode?: (envelope: string) => Buffer,
): Promise<void> {
  const { brokers, admin } = bench.servers;
  const { users, bytes } = bench.options;
  bench.log(`producing ${records(bench)} records to ${kafkaTopic}`);
  await createTopics(admin, [kafkaTopic], PARTITIONS);
  const load = { users, records: records(bench), brokers, kafkaTopic, partitions: PARTITIONS, recordBytes: bytes };
  const producer = await LoadProducer.connect({ ...load, ...(encode === undefined ? {} : { encode }) });
  await producer.sendAll();
  await producer.disconnect();
}

/** Starts a router alone on the gateway's core, with an engine that throws everything away. */
function startRouter(task: RouterTask): Promise<ReaderProcess> {
  return ReaderProcess.start(new URL('../workers/router-worker.js', import.meta.url), task, { core: GATEWAY_CORE });
}

interface Pass {
  readonly arrivals: Arrivals;
  readonly perSecond: number;
  readonly cpuMicros: number;
}

async function pass(bench: Bench<Options>, reader: ReaderProcess): Promise<Pass> {
  const { records, warmup } = bench.options;
  const usage = new UsageSeries({ reader: [reader.pid] });
  await settled(() => reader.received(), records + warmup, QUIET_MS);
  usage.stop();
  const arrivals = await reader.arrivals();
  await reader.stop();
  const { fromMicros, toMicros, perSecond, records: counted } = throughputWindow(arrivals, warmup);
  return { arrivals, perSecond, cpuMicros: (usage.between(fromMicros, toMicros)['reader']! * 1e6) / counted };
}
