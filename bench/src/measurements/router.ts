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
import { runBench, type Bench } from '../lib/bench.js';
import { GATEWAY_CORE } from '../lib/machine.js';
import { median, type Report } from '../lib/report.js';
import type { RouterTask } from '../workers/router-worker.js';
import { createTopics } from '../lib/servers.js';
import { throughputWindow } from '../lib/throughput-window.js';

const PARTITIONS = 6;
const QUIET_MS = 15_000;

/** In each of the `rounds` both read all records, in turn, each in a fresh process. */
const defaults = { records: 500_000, warmup: 100_000, bytes: 512, users: 5_000, rounds: 3 };
type Options = typeof defaults;

await runBench('router', defaults, measure);

async function measure(bench: Bench<Options>): Promise<Report> {
  const { users, warmup, bytes, rounds } = bench.options;
  const { brokers, admin } = bench.servers;
  const records = bench.options.records + warmup;
  const kafkaTopic = bench.id;
  await createTopics(admin, [kafkaTopic], PARTITIONS);
  bench.log(`producing ${records} records`);
  const produce = { users, records, brokers, kafkaTopic, partitions: PARTITIONS, recordBytes: bytes };
  const producer = await LoadProducer.connect(produce);
  await producer.sendAll();
  await producer.disconnect();

  const passes: { bare: Pass; router: Pass }[] = [];
  for (let round = 1; round <= rounds; round++) {
    bench.log(`round ${round} of ${rounds}`);
    const groupId = `${bench.id}-${round}`;
    const task = { brokers, kafkaTopic, shape: { users, records } };
    const bare = await pass(
      bench,
      await startBareConsumer({ ...task, groupId: `${groupId}-bare` }, { core: GATEWAY_CORE }),
    );
    const router = await pass(bench, await startRouter({ brokers, kafkaTopic, groupId, records }));
    passes.push({ bare, router });
  }
  const of = (value: (round: { bare: Pass; router: Pass }) => number): number => median(passes.map(value));
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
    ],
    verdicts: {
      router: verify(passes.at(-1)!.router.arrivals, records),
      'bare consumer': verify(passes.at(-1)!.bare.arrivals, records),
    },
  };
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
