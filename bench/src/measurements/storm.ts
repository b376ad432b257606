/**
 * Measures what a dead node's clients do to the node that takes them: all of them at once, each after a delay of its own
 * within what `reconnect_spread_ms` said. Beside it what the model of bench/scale says, which is told what was measured in other
 * ways: the CPU of their first handshakes, what a node took over from one that died before and whose clients stayed away, and when
 * each client noticed its loss.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { ChildWorker, nowMicros, percentilesOf, UsageSeries, userName } from '@ws-gateway/load-generator';
import { runBench, type Bench } from '../lib/bench.js';
import { tokenOf, type Gateway } from '../lib/gateway.js';
import { GATEWAY_CORE, LOAD_CORE } from '../lib/machine.js';
import { busyFigures, mean, type Figure, type Report } from '../lib/report.js';
import { simulateReturn, type ReturnQuestion } from '../lib/return-model.js';
import { createTopics, groupIsStable } from '../lib/servers.js';
import type { StormTask, StormTimes } from '../workers/storm-worker.js';

const PARTITIONS = 6;
const TOKEN_LIFE_SECONDS = 3600;

/**
 * `warmup`: clients that come to the node before, and are cut: its code is compiled by then, as that of a node which has run for a
 * while. `crowd`: how many of them come at a time when it is measured what one costs. `takeover`: seconds for which it is watched when
 * its neighbour's clients stay away; by then their rows are gone.
 */
const defaults = { clients: 10_000, parallel: 64, warmup: 6000, crowd: 1000, takeover: 6 };

type StormBench = Bench<typeof defaults>;

/** What is measured before the storm. */
interface Inputs {
  /** CPU of the node for a handshake, in ms. */
  readonly serviceMs: number;
  /** Its CPU for a dead node whose clients stay away, in ms. */
  readonly takeoverMs: number;
}

await runBench('storm', defaults, measure);

async function measure(bench: StormBench): Promise<Report> {
  const { clients, warmup } = bench.options;
  const { admin, redisPid } = bench.servers;
  const topics = { notifications: `${bench.id}-n`, 'balance-updates': `${bench.id}-b` };
  await createTopics(admin, Object.values(topics), PARTITIONS);
  const startNode = async (nodes: number): Promise<Gateway> => {
    const gateway = await bench.gateway({ topics, until: '/ready' });
    await groupIsStable(admin, bench.id, nodes);
    return gateway;
  };
  const node = await startNode(1);
  const path = `/ws?topics=${Object.keys(topics).join(',')}`;
  const crowd = (gateway: Gateway, prefix: string, options: Omit<CrowdOptions, 'path' | 'prefix'>): Promise<Crowd> =>
    crowdAt(bench, gateway, { path, prefix, ...options });

  const cold = await crowd(node, 'cold', { count: warmup });
  await cold.worker.stop();
  const takeoverMs = await cpuOfTakeover(bench, node, await crowd(await startNode(2), 'away', { count: clients }));
  const serviceMs = await cpuOfHandshake(bench, node, crowd);
  const lost = await crowd(await startNode(2), 'back', { count: clients, comeTo: node });
  const redis = redisPid === null ? {} : { redis: [redisPid] };
  const usage = new UsageSeries({ gateway: [node.pid], ...redis, clients: [lost.worker.pid] }, [
    GATEWAY_CORE,
    LOAD_CORE,
  ]);
  bench.ends({ stop: async () => usage.stop() });
  const times = await lose(bench, lost);
  usage.stop();
  return report(times, usage, { clients, serviceMs, takeoverMs });
}

/** Clients at a node, and the CPU seconds that their handshakes took there. */
interface Crowd {
  readonly worker: ChildWorker;
  readonly gateway: Gateway;
  readonly cpuSeconds: number;
}

interface CrowdOptions {
  readonly path: string;
  /** Begin of their names; no node has seen them. */
  readonly prefix: string;
  readonly count: number;
  /** Number of handshakes at a time. Default: that of the option `parallel`. */
  readonly parallel?: number;
  /** Where they come back to. Default: they stay away. */
  readonly comeTo?: Gateway;
}

type MakeCrowd = (gateway: Gateway, prefix: string, options: Omit<CrowdOptions, 'path' | 'prefix'>) => Promise<Crowd>;

async function crowdAt(
  bench: StormBench,
  gateway: Gateway,
  { path, prefix, count, comeTo, parallel = bench.options.parallel }: CrowdOptions,
): Promise<Crowd> {
  bench.log(`connecting ${count} clients to one node`);
  const worker = bench.ends(new ChildWorker(new URL('../workers/storm-worker.js', import.meta.url)));
  const addressOf = ({ host, port }: Gateway) => ({ host, port });
  const task: StormTask = {
    path,
    tokens: tokens(prefix, count),
    first: addressOf(gateway),
    second: comeTo === undefined ? null : addressOf(comeTo),
    parallel,
  };
  const usage = new UsageSeries({ gateway: [gateway.pid] });
  const beganMicros = nowMicros();
  await worker.call('connect', task).finally(() => usage.stop());
  return { worker, gateway, cpuSeconds: usage.between(beganMicros, nowMicros())['gateway']! };
}

function lose(bench: StormBench, { gateway, worker }: Crowd): Promise<StormTimes> {
  bench.log('killing it');
  process.kill(gateway.pid, 'SIGKILL');
  return worker.call<StormTimes>('times');
}

/** CPU of the node for a handshake when so many come at a time as `crowd` says, in ms. It falls until some ten thousand have come. */
async function cpuOfHandshake(
  { options: { warmup: count, crowd: parallel } }: StormBench,
  node: Gateway,
  make: MakeCrowd,
): Promise<number> {
  const warming = await make(node, 'warming', { count, parallel });
  await warming.worker.stop();
  const warm = await make(node, 'warm', { count, parallel });
  await warm.worker.stop();
  return (1000 * warm.cpuSeconds) / count;
}

/** CPU of the node for a dead neighbour, above what it takes anyway, in ms. */
async function cpuOfTakeover(bench: StormBench, { pid }: Gateway, crowd: Crowd): Promise<number> {
  const usage = new UsageSeries({ node: [pid] });
  const watch = async (): Promise<number> => {
    const beganMicros = nowMicros();
    await delay(bench.options.takeover * 1000);
    return usage.between(beganMicros, nowMicros())['node']!;
  };
  const idle = await watch();
  const [busy] = await Promise.all([watch(), lose(bench, crowd)]);
  usage.stop();
  return 1000 * Math.max(0, busy - idle);
}

function tokens(prefix: string, count: number): string[] {
  const now = Math.floor(Date.now() / 1000);
  const claims = { iat: now, exp: now + TOKEN_LIFE_SECONDS };
  return Array.from({ length: count }, (_, user) => tokenOf(`${prefix}-${userName(user)}`, claims));
}

function report(times: StormTimes, usage: UsageSeries, inputs: Inputs & { readonly clients: number }): Report {
  const { lostAt, triedAt, connectedAt, failures, spreadMs } = times;
  const { clients } = inputs;
  const [fromMicros, toMicros] = [Math.min(...lostAt), Math.max(...connectedAt)];
  const seconds = (toMicros - fromMicros) / 1e6;
  const cpu = usage.between(fromMicros, toMicros);
  const since = (from: Float64Array) => percentilesOf(connectedAt.map((time, client) => (time - from[client]!) / 1e3));
  const sinceLoss = (at: Float64Array) => at.map((micros) => (micros - fromMicros) / 1000);
  return {
    latencies: { 'loss to `connected`': since(lostAt), 'handshake to `connected`': since(triedAt) },
    figures: [
      { name: 'clients back', value: connectedAt.filter((time) => time > 0).length, unit: '', atLeast: clients },
      { name: 'all back after', value: seconds, unit: 's' },
      { name: '`reconnect_spread_ms`', value: Math.max(...spreadMs), unit: 'ms' },
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
      ...modelFigures(sinceLoss(connectedAt), {
        ...inputs,
        ...{ spreadMs, noticedMs: sinceLoss(lostAt), share: shareOf(cpu, seconds) },
        stormMs: ((cpu['gateway'] ?? NaN) * 1000) / clients,
      }),
      ...busyFigures(cpu, seconds, ['gateway']),
    ],
    verdicts: {},
  };
}

/** The part of the core that others left to the gateway. */
function shareOf(cpu: Readonly<Record<string, number>>, seconds: number): number {
  return 1 - Math.max(0, cpu[`core ${GATEWAY_CORE}`]! - cpu['gateway']!) / seconds;
}

type ModelInputs = Required<Pick<ReturnQuestion, 'clients' | 'serviceMs' | 'takeoverMs'>> & {
  readonly spreadMs: Float64Array;
  readonly noticedMs: Float64Array;
  /** What others left of the core. */
  readonly share: number;
  /** CPU of the node in the storm itself for each client, in ms. */
  readonly stormMs: number;
};

/**
 * What the model is told, what it says and how far it is off. `when told the storm's own CPU` shows what of that is the queue's
 * part: where the core is just full, a tenth more or less of a handshake decides whether there is one.
 */
function modelFigures(backMs: Float64Array, { share, stormMs, ...question }: ModelInputs): Figure[] {
  const quantile = (sorted: Float64Array, part: number): number => sorted[Math.floor((sorted.length - 1) * part)]!;
  const { serviceMs, takeoverMs } = question;
  const modelled = (costs: Pick<ReturnQuestion, 'serviceMs' | 'takeoverMs'>): Float64Array =>
    simulateReturn({ ...question, ...costs, servers: 1 }).afterMs;
  const measured = backMs.toSorted();
  const byParts = modelled({ serviceMs: serviceMs / share, takeoverMs: takeoverMs / share });
  const byStorm = modelled({ serviceMs: stormMs / share, takeoverMs: 0 });
  const noticedMs = quantile(question.noticedMs.toSorted(), 0.5);
  return [
    { name: 'told the model: CPU of a handshake in a crowd', value: serviceMs * 1000, unit: 'µs' },
    { name: 'told the model: CPU for a dead node whose clients stay away', value: takeoverMs, unit: 'ms' },
    { name: 'told the model: half of the clients notice', value: noticedMs, unit: 'ms' },
    { name: 'told the model: `reconnect_spread_ms`, mean', value: mean([...question.spreadMs]), unit: 'ms' },
    ...[0.5, 0.9, 0.99].flatMap((part): Figure[] => {
      const real = quantile(measured, part);
      const error = (told: Float64Array): number => Math.abs(100 * (quantile(told, part) / real - 1));
      const name = `${100 * part} % are back`;
      return [
        { name, value: real / 1000, unit: 's' },
        { name: `${name}, by the model`, value: quantile(byParts, part) / 1000, unit: 's' },
        { name: `${name}, error of the model`, value: error(byParts), unit: '%', atMost: 20 },
        { name: `${name}, error when told the storm's own CPU`, value: error(byStorm), unit: '%' },
      ];
    }),
  ];
}
