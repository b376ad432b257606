/**
 * Measures what a dead node's clients do to the node that takes them: all of them at once, each after a delay of its own
 * within what `reconnect_spread_ms` said. Beside it what the model of bench/scale says of a node that needs the CPU which their
 * first handshakes took, a moment before, on the part of the core that others left it.
 */
import { ChildWorker, nowMicros, percentilesOf, UsageSeries, userName } from '@ws-gateway/load-generator';
import { runBench, type Bench } from '../lib/bench.js';
import { tokenOf, type Gateway } from '../lib/gateway.js';
import { GATEWAY_CORE, LOAD_CORE } from '../lib/machine.js';
import { busyFigures, type Figure, type Report } from '../lib/report.js';
import { simulateReturn } from '../lib/return-model.js';
import { createTopics, groupIsStable } from '../lib/servers.js';
import type { StormTask, StormTimes } from '../workers/storm-worker.js';

const PARTITIONS = 6;
const TOKEN_LIFE_SECONDS = 3600;

const defaults = { clients: 10_000, parallel: 64 };

await runBench('storm', defaults, measure);

async function measure(bench: Bench<typeof defaults>): Promise<Report> {
  const { clients, parallel } = bench.options;
  const { admin, redisPid } = bench.servers;
  const topics = { notifications: `${bench.id}-n`, 'balance-updates': `${bench.id}-b` };
  await createTopics(admin, Object.values(topics), PARTITIONS);
  const [first, second] = [
    await bench.gateway({ topics, until: '/ready' }),
    await bench.gateway({ topics, until: '/ready' }),
  ];
  await groupIsStable(admin, bench.id, 2);
  bench.log(`connecting ${clients} clients to one node`);
  const worker = bench.ends(new ChildWorker(new URL('../workers/storm-worker.js', import.meta.url)));
  const path = `/ws?topics=${Object.keys(topics).join(',')}`;
  const addressOf = ({ host, port }: Gateway) => ({ host, port });
  const task: StormTask = {
    path,
    tokens: tokens(clients),
    first: addressOf(first),
    second: addressOf(second),
    parallel,
  };
  const firstUsage = new UsageSeries({ first: [first.pid] });
  const beganMicros = nowMicros();
  await worker.call('connect', task).finally(() => firstUsage.stop());
  const cpuBefore = firstUsage.between(beganMicros, nowMicros())['first']!;
  const redis = redisPid === null ? {} : { redis: [redisPid] };
  const usage = new UsageSeries({ gateway: [second.pid], ...redis, clients: [worker.pid] }, [GATEWAY_CORE, LOAD_CORE]);
  bench.ends({ stop: async () => usage.stop() });
  bench.log('killing it');
  process.kill(first.pid, 'SIGKILL');
  const times = await worker.call<StormTimes>('times');
  usage.stop();
  return report(times, usage, { clients, cpuBefore });
}

/** No node but the one that is killed has seen them. */
function tokens(count: number): string[] {
  const now = Math.floor(Date.now() / 1000);
  const claims = { iat: now, exp: now + TOKEN_LIFE_SECONDS };
  return Array.from({ length: count }, (_, user) => tokenOf(userName(user), claims));
}

function report(
  times: StormTimes,
  usage: UsageSeries,
  { clients, cpuBefore }: { clients: number; cpuBefore: number },
): Report {
  const { lostAt, triedAt, connectedAt, failures, spreadMs } = times;
  const [fromMicros, toMicros] = [Math.min(...lostAt), Math.max(...connectedAt)];
  const seconds = (toMicros - fromMicros) / 1e6;
  const cpu = usage.between(fromMicros, toMicros);
  const since = (from: Float64Array) => percentilesOf(connectedAt.map((time, client) => (time - from[client]!) / 1e3));
  return {
    latencies: { 'loss to `connected`': since(lostAt), 'handshake to `connected`': since(triedAt) },
    figures: [
      { name: 'clients back', value: connectedAt.filter((time) => time > 0).length, unit: '', atLeast: clients },
      { name: 'all back after', value: seconds, unit: 's' },
      { name: '`reconnect_spread_ms`', value: spreadMs, unit: 'ms' },
      {
        name: 'handshakes that failed and were tried again',
        value: [...failures.values()].reduce((sum, count) => sum + count, 0),
        unit: '',
      },
      ...Array.from(failures, ([reason, value]) => ({ name: `of them: ${reason}`, value, unit: '' })),
      {
        name: 'CPU of the node that takes them, a client',
        value: ((cpu['gateway'] ?? NaN) * 1e6) / clients,
        unit: 'µs',
      },
      { name: 'CPU of Redis, a client', value: ((cpu['redis'] ?? NaN) * 1e6) / clients, unit: 'µs' },
      ...modelFigures(
        connectedAt.map((micros) => (micros - fromMicros) / 1000),
        { clients, spreadMs, serviceMs: (1000 * cpuBefore) / clients / shareOf(cpu, seconds) },
      ),
      ...busyFigures(cpu, seconds, ['gateway']),
    ],
    verdicts: {},
  };
}

/** The part of the core that others left to the gateway. */
function shareOf(cpu: Readonly<Record<string, number>>, seconds: number): number {
  return 1 - Math.max(0, cpu[`core ${GATEWAY_CORE}`]! - cpu['gateway']!) / seconds;
}

function modelFigures(
  backMs: Float64Array,
  question: { readonly clients: number; readonly spreadMs: number; readonly serviceMs: number },
): Figure[] {
  const quantile = (sorted: Float64Array, share: number): number => sorted[Math.floor((sorted.length - 1) * share)]!;
  const [measured, modelled] = [backMs.toSorted(), simulateReturn({ ...question, servers: 1 }).afterMs];
  return [0.5, 0.9, 0.99].flatMap((share): Figure[] => {
    const [real, told] = [quantile(measured, share), quantile(modelled, share)];
    const name = `${100 * share} % are back`;
    return [
      { name, value: real / 1000, unit: 's' },
      { name: `${name}, by the model`, value: told / 1000, unit: 's' },
      { name: `${name}, error of the model`, value: Math.abs(100 * (told / real - 1)), unit: '%', atMost: 20 },
    ];
  });
}
