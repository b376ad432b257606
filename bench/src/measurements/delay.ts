/**
 * Measures how long a record for very many users holds the node that takes it to Redis and to their sockets: how late
 * a handshake is meanwhile, and which turns of the event loop took longest.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { LoadProducer, percentilesOf, userName, type Verdict } from '@ws-gateway/load-generator';
import { runBench, type Bench } from '../lib/bench.js';
import { tokenOf } from '../lib/gateway.js';
import { HandshakeClock, type TimedHandshake } from '../lib/handshake-clock.js';
import { addVerdicts, median, type Figure, type Report } from '../lib/report.js';
import { createTopics, groupIsStable } from '../lib/servers.js';
import { SubscriberProcess } from '../lib/subscriber-process.js';
import { TurnLog, type LongTurn } from '../lib/turn-log.js';

const PARTITIONS = 1;
const QUIET_MS = 20_000;
/** So that all turns of a record are written down. */
const TURNS_WRITTEN_MS = 1_500;
const VISITORS = 32;
/** Time without a record for each that is sent. */
const QUIET_SHARE_MS = 500;

/** `sockets` of the users are connected. With `turns` 1 the gateway never sleeps, and its long turns are told. */
const defaults = { users: 5_000, bytes: 3_072, sockets: 5_000, sampled: 20, records: 8, pause: 2, turns: 0 };

await runBench('delay', defaults, measure);

interface Window {
  readonly fromMicros: number;
  readonly toMicros: number;
}

async function measure(bench: Bench<typeof defaults>): Promise<Report> {
  const { users, sockets, sampled, records, pause, turns } = bench.options;
  const { admin } = bench.servers;
  await createTopics(admin, [bench.id], PARTITIONS);
  const log = bench.ends(await TurnLog.create());
  const topics = { notifications: bench.id };
  const gateway = await bench.gateway({ topics, until: '/ready', ...(turns === 1 && { probe: log.probe }) });
  await groupIsStable(admin, bench.id, 1);
  const { host, port } = gateway;
  const targetOf = (user: string) => ({ host, port, path: '/ws?topics=notifications', token: tokenOf(user) });
  bench.log(`connecting ${sockets} of ${users} users`);
  const targets = Array.from({ length: sockets }, (_, user) => targetOf(userName(user)));
  const clients = bench.ends(await SubscriberProcess.connect({ targets, sampled, stalling: [] }));
  const visitors = Array.from({ length: VISITORS }, (_, at) => targetOf(`visitor-${at}`));
  const clock = bench.ends(new HandshakeClock(visitors, { pauseMs: pause }));
  bench.log('warming up');
  let { verdict } = await sendOne(bench, clients);
  clock.take();
  await delay(records * QUIET_SHARE_MS);
  const quiet = clock.take();
  const windows: Window[] = [];
  for (let n = 0; n < records; n++) {
    const sent = await sendOne(bench, clients);
    windows.push(sent);
    verdict = addVerdicts(verdict, sent.verdict);
  }
  const busy = clock.take();
  await delay(TURNS_WRITTEN_MS);
  return report({ quiet, busy, windows }, turns === 1 ? await log.read() : null, verdict);
}

/** Resolves when all have the record. */
async function sendOne(
  bench: Bench<typeof defaults>,
  clients: SubscriberProcess,
): Promise<Window & { verdict: Verdict }> {
  const { users, bytes } = bench.options;
  const producer = await LoadProducer.connect({
    brokers: bench.servers.brokers,
    kafkaTopic: bench.id,
    partitions: PARTITIONS,
    users: 1,
    records: 1,
    recordBytes: bytes,
    encode: (envelope) => forUsers(envelope, users),
  });
  await clients.begin({ records: 1, keys: 1 });
  await producer.sendAll();
  const verdict = await clients.finish(QUIET_MS);
  await producer.disconnect();
  const { sentAt } = producer;
  const fromMicros = sentAt[0]!;
  const latencies = await clients.latencies(sentAt, 0);
  return { verdict, fromMicros, toMicros: fromMicros + 1000 * Math.max(...latencies) };
}

/** The same message for very many users instead of one. */
function forUsers(envelope: string, count: number): Buffer {
  const { user_id: _, ...rest } = JSON.parse(envelope) as Record<string, unknown>;
  return Buffer.from(JSON.stringify({ ...rest, users: Array.from({ length: count }, (__, user) => userName(user)) }));
}

interface Observed {
  readonly quiet: readonly TimedHandshake[];
  readonly busy: readonly TimedHandshake[];
  readonly windows: readonly Window[];
}

function report({ quiet, busy, windows }: Observed, turns: readonly LongTurn[] | null, verdict: Verdict): Report {
  const during = windows.map(({ fromMicros, toMicros }) =>
    busy.filter(({ startMicros, tookMs }) => startMicros < toMicros && startMicros + 1000 * tookMs > fromMicros),
  );
  const percentiles = (msOf: (handshake: TimedHandshake) => number) => (handshakes: readonly TimedHandshake[]) =>
    percentilesOf(Float64Array.from(handshakes, msOf));
  const times = percentiles(({ tookMs }) => tookMs);
  const served = percentiles(({ tookMs, waitedMs }) => tookMs - waitedMs);
  const usual = served(quiet).p50;
  const slowest = during.map((handshakes) => served(handshakes).max - usual);
  const figures: Figure[] = [
    { name: 'record to last frame, median', value: median(windows.map(durationMs)), unit: 'ms' },
    { name: 'most that a handshake is late, median of the records', value: median(slowest), unit: 'ms', atMost: 10 },
    { name: 'the same, worst record', value: Math.max(...slowest), unit: 'ms' },
  ];
  if (turns !== null) {
    const longest = windows.map((window) => longestTurn(turns, window));
    figures.push(
      { name: 'longest turn, CPU, median of the records', value: median(longest), unit: 'ms' },
      { name: 'the same, worst record', value: Math.max(...longest), unit: 'ms' },
    );
  }
  return {
    latencies: {
      'handshake, no record': times(quiet),
      'handshake, record on its way': times(during.flat()),
      'the same, less the wait of the client itself for its core': served(during.flat()),
    },
    figures,
    verdicts: { gateway: verdict },
  };
}

function durationMs({ fromMicros, toMicros }: Window): number {
  return (toMicros - fromMicros) / 1000;
}

function longestTurn(turns: readonly LongTurn[], { fromMicros, toMicros }: Window): number {
  const within = turns.filter(({ endMicros }) => endMicros > fromMicros && endMicros < toMicros);
  return Math.max(0, ...within.map(({ cpuMs }) => cpuMs));
}
