/**
 * Kills one of two nodes and watches its clients come back at the other. Beside it the model of bench/scale says what it
 * expects of a node that needs the CPU which the same clients' first handshakes took, a moment before, on the part of the core that
 * others left it.
 */
import { ChildWorker, nowMicros, userName, UsageSeries } from '@ws-gateway/load-generator';
import { runBench, type Bench } from '../lib/bench.js';
import { tokenOf } from '../lib/gateway.js';
import { GATEWAY_CORE } from '../lib/machine.js';
import { busyFigures, type Figure, type Report } from '../lib/report.js';
import { createTopics, groupIsStable } from '../lib/servers.js';
import { simulateReturn } from '../lib/return-model.js';
import type { Returned, ReturningTask } from '../workers/returning-clients-worker.js';

const PARTITIONS = 6;
/** What a handshake costs in a crowd, of one among 64: measured here in three runs, 1.18, 1.19 and 1.24. */
const CROWD = 1.2;

/** `spread` in ms: over what the clients draw their first delay. */
const defaults = { clients: 8_000, spread: 2_000, parallel: 64 };

await runBench('node-lost', defaults, measure);

async function measure(bench: Bench<typeof defaults>): Promise<Report> {
  const { clients, spread, parallel } = bench.options;
  const { admin, redisPid } = bench.servers;
  const topics = { notifications: `${bench.id}-n`, 'balance-updates': `${bench.id}-b` };
  await createTopics(admin, Object.values(topics), PARTITIONS);
  const [dying, staying] = [
    await bench.gateway({ topics, until: '/ready' }),
    await bench.gateway({ topics, until: '/ready' }),
  ];
  await groupIsStable(admin, bench.id, 2);
  const worker = bench.ends(new ChildWorker(new URL('../workers/returning-clients-worker.js', import.meta.url)));
  const dyingUsage = new UsageSeries({ dying: [dying.pid] });
  bench.log(`connecting ${clients} clients`);
  const task: ReturningTask = {
    target: { host: dying.host, port: dying.port },
    next: { host: staying.host, port: staying.port },
    path: `/ws?topics=${Object.keys(topics).join(',')}`,
    tokens: Array.from({ length: clients }, (_, user) => tokenOf(userName(user))),
    spreadMs: spread,
    parallel,
  };
  const fromMicros = nowMicros();
  const connectSeconds = await worker.call<number>('connect', task).finally(() => dyingUsage.stop());
  const before = dyingUsage.between(fromMicros, nowMicros());
  const redis = redisPid === null ? {} : { redis: [redisPid] };
  const usage = new UsageSeries({ staying: [staying.pid], ...redis }, [GATEWAY_CORE]);
  bench.log('killing their node');
  const killMicros = nowMicros();
  process.kill(dying.pid, 'SIGKILL');
  const { afterMs, attempts } = await worker.call<Returned>('returned');
  const toMicros = killMicros + afterMs.at(-1)! * 1000;
  await new Promise((resolve) => setTimeout(resolve, 100));
  usage.stop();
  const cpu = usage.between(killMicros, toMicros);
  const seconds = (toMicros - killMicros) / 1e6;
  // The neighbours leave the node a part of the core; the rest of the machine's speed is in the handshakes before.
  const share = 1 - Math.max(0, cpu[`core ${GATEWAY_CORE}`]! - cpu['staying']!) / seconds;
  const serviceMs = (CROWD * 1000 * before['dying']!) / clients / share;
  const model = simulateReturn({ clients, spreadMs: spread, servers: 1, serviceMs });
  const each = (seconds: number | undefined): number => ((seconds ?? NaN) * 1e6) / clients;
  return {
    figures: [
      { name: 'handshakes before, as fast as they go', value: clients / connectSeconds, unit: '1/s' },
      { name: 'CPU of the node, a handshake before', value: each(before['dying']), unit: 'µs' },
      { name: 'CPU of the node, a client that came back', value: each(cpu['staying']), unit: 'µs' },
      { name: 'CPU of Redis, a client that came back', value: each(cpu['redis']), unit: 'µs' },
      { name: 'handshakes in vain', value: attempts - clients, unit: '' },
      ...[0.5, 0.9, 0.99].flatMap((share): Figure[] => {
        const [measured, modelled] = [quantile(afterMs, share), quantile(model.afterMs, share)];
        const name = `${100 * share} % are back`;
        return [
          { name: `${name}: measured`, value: measured / 1000, unit: 's' },
          { name: `${name}: modelled`, value: modelled / 1000, unit: 's' },
          { name: `${name}: model's error`, value: Math.abs(100 * (modelled / measured - 1)), unit: '%', atMost: 20 },
        ];
      }),
      ...busyFigures(cpu, seconds, ['staying']),
    ],
    verdicts: {},
  };
}

function quantile(sorted: ArrayLike<number>, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
}
