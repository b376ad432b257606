/**
 * Measures whether a node stays as it is: half a load for long, while sockets come and go; then what a scrape costs.
 */
import { setTimeout as delay } from 'node:timers/promises';
import {
  Churn,
  cpuSeconds,
  LoadProducer,
  nowMicros,
  percentilesOf,
  settled,
  SocketFleet,
  UsageSeries,
  userName,
  verify,
} from '@ws-gateway/load-generator';
import { runBench, type Bench } from '../lib/bench.js';
import { tokenOf, type Gateway } from '../lib/gateway.js';
import { GATEWAY_CORE, LOAD_CORE } from '../lib/machine.js';
import { busyFigures, type Figure, type Report } from '../lib/report.js';
import { createTopics, groupIsStable } from '../lib/servers.js';
import { slope, ProcessStatsLog, type ProcessStats } from '../lib/process-stats.js';

const PARTITIONS = 6;
const QUIET_MS = 5_000;
const SCRAPE_MS = 10_000;
const SCRAPES = 40;
/** Twenty minutes of records are gigabytes: Kafka may forget what was read long ago. */
const KEPT = { 'retention.bytes': '67108864', 'segment.bytes': '16777216' };

/** `churn` sockets a second take the places of the oldest of `coming`; `scraped` sockets are there for the scrapes. */
const defaults = {
  minutes: 20,
  users: 5_000,
  rate: 5_000,
  churn: 100,
  coming: 1_000,
  bytes: 512,
  tick: 5,
  warmup: 30,
  scraped: 15_000,
};

await runBench('soak', defaults, measure);

async function measure(bench: Bench<typeof defaults>): Promise<Report> {
  const { minutes, users, rate, churn, coming, bytes, tick, warmup, scraped } = bench.options;
  const { brokers, admin, redisPid } = bench.servers;
  const seconds = Math.round(minutes * 60);
  const shape = { users, records: rate * (warmup + seconds) };
  const kafkaTopic = bench.id;
  await createTopics(admin, [kafkaTopic], PARTITIONS, KEPT);
  const processStats = bench.ends(await ProcessStatsLog.create());
  const topics = { notifications: kafkaTopic };
  const gateway = await bench.gateway({ topics, until: '/ready', probe: processStats.probe });
  await groupIsStable(admin, bench.id, 1);
  bench.log(`connecting ${users} clients that stay`);
  const clients = { topics: Object.keys(topics), tokenOf, targets: [gateway] };
  const fleet = bench.ends(await SocketFleet.connect({ ...clients, shape }));
  const producer = await LoadProducer.connect({
    ...shape,
    brokers,
    kafkaTopic,
    partitions: PARTITIONS,
    recordBytes: bytes,
  });
  const { host, port } = gateway;
  const tokens = Array.from({ length: coming }, (_, i) => tokenOf(userName(users + i)));
  const path = `/ws?topics=${clients.topics.join(',')}`;
  const comers = bench.ends(await Churn.start({ host, port, path, tokens, connectsPerSecond: churn }));

  bench.log(`${rate} records/s and ${churn} connects/s for ${warmup} + ${seconds} s`);
  const pids = { gateway: [gateway.pid], ...(redisPid !== null && { redis: [redisPid] }) };
  const usage = new UsageSeries(pids, [GATEWAY_CORE, LOAD_CORE]);
  const scrapes: number[] = [];
  const sending = producer.sendPaced(rate, tick);
  await delay(warmup * 1000);
  await processStats.begin(gateway.pid);
  const fromMicros = nowMicros();
  const timer = setInterval(() => void scrape(gateway).then((ms) => scrapes.push(ms)), SCRAPE_MS);
  await sending;
  clearInterval(timer);
  const cpu = usage.between(fromMicros, nowMicros());
  usage.stop();
  await settled(async () => (await fleet.state()).arrived, shape.records, QUIET_MS);
  const seen = await processStats.read();
  const came = await comers.state();
  await comers.stop();
  await producer.disconnect();
  const verdicts = { 'gateway, to those who stay': verify(await fleet.arrivals(), producer.produced) };
  const { failed: ended } = await fleet.state();
  await fleet.stop();
  if (came.failed > 0) bench.log(`of those who came, ${came.failed} failed: ${came.failures.join('; ')}`);

  return {
    figures: [
      ...memoryFigures(seen),
      ...pauseFigures(seen),
      { name: 'handshakes beside it', value: came.connected / (warmup + seconds), unit: '/s' },
      { name: 'handshakes that failed', value: came.failed, unit: '', atMost: 0 },
      { name: 'sockets that should have stayed', value: ended, unit: '', atMost: 0 },
      { name: 'scrape under load, p50', value: percentilesOf(Float64Array.from(scrapes)).p50, unit: 'ms' },
      ...(scraped === 0 ? [] : await scrapeFigures(bench, gateway, clients)),
      ...busyFigures(cpu, seconds, ['gateway']),
    ],
    verdicts,
  };
}

/** Lays the line through the last half: what grows for good still grows there. */
function memoryFigures(seen: readonly ProcessStats[]): Figure[] {
  const last = seen.slice(Math.floor(seen.length / 2));
  const perMinute = (of: (processStats: ProcessStats) => number): number =>
    slope(last.map((processStats) => ({ x: processStats.atMs / 60_000, y: of(processStats) / 2 ** 20 })));
  const [from, to] = [last[0]!, last.at(-1)!];
  const grown = perMinute(({ rss }) => rss) * ((to.atMs - from.atMs) / 60_000);
  const mebibytes = (name: string, value: number): Figure => ({ name, value: value / 2 ** 20, unit: 'MiB' });
  return [
    mebibytes('RSS at the beginning', seen[0]!.rss),
    mebibytes('RSS in the middle', from.rss),
    mebibytes('RSS at the end', to.rss),
    mebibytes('heap at the end', to.heapUsed),
    { name: 'slope of RSS, last half', value: perMinute(({ rss }) => rss), unit: 'MiB/min' },
    { name: 'slope of the heap, last half', value: perMinute(({ heapUsed }) => heapUsed), unit: 'MiB/min' },
    { name: 'growth of RSS, last half', value: (100 * grown) / (from.rss / 2 ** 20), unit: '%', atMost: 5 },
  ];
}

function pauseFigures(seen: readonly ProcessStats[]): Figure[] {
  const { lagMs, gc } = seen.at(-1)!;
  return [
    { name: 'event loop lag, p50', value: lagMs.p50, unit: 'ms' },
    { name: 'event loop lag, p99', value: lagMs.p99, unit: 'ms', atMost: 20 },
    { name: 'event loop lag, max', value: lagMs.max, unit: 'ms' },
    { name: 'longest garbage collection', value: gc.pauseMaxMs, unit: 'ms', atMost: 50 },
    { name: 'full collections', value: gc.majors, unit: '' },
  ];
}

/** Measures scrapes with this number of sockets and nothing else to do. */
async function scrapeFigures(
  bench: Bench<typeof defaults>,
  gateway: Gateway,
  clients: Pick<Parameters<typeof SocketFleet.connect>[0], 'topics' | 'tokenOf' | 'targets'>,
): Promise<Figure[]> {
  const { scraped } = bench.options;
  bench.log(`connecting ${scraped} clients for the scrapes`);
  bench.ends(await SocketFleet.connect({ ...clients, shape: { users: scraped, records: scraped } }));
  await delay(QUIET_MS);
  const idleFrom = cpuSeconds(gateway.pid);
  await delay(QUIET_MS);
  const idlePerMs = (cpuSeconds(gateway.pid) - idleFrom) / QUIET_MS;
  const [cpuFrom, fromMicros] = [cpuSeconds(gateway.pid), nowMicros()];
  const times: number[] = [];
  for (let i = 0; i < SCRAPES; i++) times.push(await scrape(gateway));
  const idle = ((nowMicros() - fromMicros) / 1000) * idlePerMs;
  const { p50, max } = percentilesOf(Float64Array.from(times));
  const cpuMs = ((cpuSeconds(gateway.pid) - cpuFrom - idle) * 1000) / SCRAPES;
  return [
    { name: `scrape at ${scraped} sockets, p50`, value: p50, unit: 'ms', atMost: 5 },
    { name: `scrape at ${scraped} sockets, max`, value: max, unit: 'ms' },
    { name: `scrape at ${scraped} sockets, CPU of the gateway`, value: cpuMs, unit: 'ms' },
  ];
}

/** Time of one scrape from the request to the last byte, in ms. */
async function scrape({ host, port }: Gateway): Promise<number> {
  const fromMicros = nowMicros();
  const response = await fetch(`http://${host}:${port}/metrics`);
  await response.arrayBuffer();
  return (nowMicros() - fromMicros) / 1000;
}
