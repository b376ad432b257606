/**
 * Measures what a message costs Redis in a wide cluster: many nodes, calls of few messages, or a channel that all nodes
 * watch. Nodes are engines without sockets. In each round first bare PUBLISHes, then the engine.
 */
import { nowMicros, UsageSeries } from '@ws-gateway/load-generator';
import { runLocalBench, type LocalBench } from '../lib/bench.js';
import { MeasuredRedis, type CommandStat } from '../lib/local-redis.js';
import { GATEWAY_CORE } from '../lib/machine.js';
import { busyFigures, mean, median, sumOf, type Figure, type Report } from '../lib/report.js';
import { BareCarrier, EngineCarrier, type Carrier } from '../lib/wide-load.js';

/** Commands with fewer calls a message are not named. */
const CALLS_MIN = 0.05;

/** `messages` in each round of each program; the first `warmup` rounds are not counted. */
const defaults = {
  nodes: 50,
  call: 8,
  channel: 0,
  users: 5_000,
  history: 100,
  partitions: 1,
  murmur2: 0,
  parallel: 1,
  messages: 16_000,
  rounds: 5,
  warmup: 1,
};

await runLocalBench('wide', defaults, measure);

interface Stretch {
  /** CPU of Redis, µs. */
  readonly redis: number;
  /** CPU of this process, which publishes and receives, µs a message. */
  readonly nodes: number;
  readonly commands: ReadonlyMap<string, CommandStat>;
  readonly cpu: Readonly<Record<string, number>>;
  readonly seconds: number;
}

async function measure(bench: LocalBench<typeof defaults>): Promise<Report> {
  const { messages, rounds, warmup, channel } = bench.options;
  const redis = bench.ends(await MeasuredRedis.start((line) => bench.log(line)));
  bench.log(`${await redis.version()}, registering nodes`);
  const bare = bench.ends(await BareCarrier.start(redis, bench.options));
  const engine = bench.ends(await EngineCarrier.start(redis, bench.options));
  const usage = bench.ends(stoppable(new UsageSeries({ redis: [redis.pid] }, [GATEWAY_CORE])));
  const idle = await stretchOf({ redis, usage: usage.series, messages }, () => idleFor(2000));
  const stretches: Record<'bare' | 'engine', Stretch[]> = { bare: [], engine: [] };
  for (let round = 0; round < warmup + rounds; round++) {
    bench.log(`round ${round + 1} of ${warmup + rounds}`);
    for (const [name, carrier] of Object.entries({ bare, engine }) as ['bare' | 'engine', Carrier][]) {
      const stretch = await stretchOf({ redis, usage: usage.series, messages }, () => carrier.carry(messages));
      if (round >= warmup) stretches[name].push(stretch);
    }
  }
  const all = [...stretches.bare, ...stretches.engine];
  const seconds = all.reduce((sum, stretch) => sum + stretch.seconds, 0);
  // Leases cost what they cost, however long the machine takes for the messages.
  const idleShare = idle.redis / idle.seconds;
  const each = (stretch: Stretch): number => (stretch.redis - idleShare * stretch.seconds) / messages;
  const figure = (name: string, of: readonly Stretch[]): Figure[] => [
    { name: `${name}: CPU of Redis, least of a round`, value: Math.min(...of.map(each)), unit: 'µs' },
    { name: `${name}: CPU of all nodes`, value: median(of.map(({ nodes }) => nodes)), unit: 'µs' },
  ];
  const [engineMicros, bareMicros] = [median(stretches.engine.map(each)), median(stretches.bare.map(each))];
  return {
    figures: [
      { name: 'engine: CPU of Redis', value: engineMicros, unit: 'µs', atMost: channel === 1 ? 10 : 14 },
      ...figure('engine', stretches.engine),
      { name: 'bare PUBLISH: CPU of Redis', value: bareMicros, unit: 'µs' },
      ...figure('bare PUBLISH', stretches.bare),
      { name: 'engine: of bare PUBLISH', value: engineMicros / bareMicros, unit: 'times' },
      { name: 'idle nodes: CPU of Redis a second', value: idleShare / 1000, unit: 'ms' },
      ...commandFigures(stretches.engine, messages),
      ...busyFigures(sumOf(all.map(({ cpu }) => cpu)), seconds, ['redis']),
    ],
    verdicts: {},
  };
}

async function stretchOf(
  { redis, usage, messages }: { redis: MeasuredRedis; usage: UsageSeries; messages: number },
  action: () => Promise<void>,
): Promise<Stretch> {
  await redis.reset();
  const before = await redis.cpuMicros();
  const own = process.cpuUsage();
  const fromMicros = nowMicros();
  await action();
  const toMicros = nowMicros();
  const { user, system } = process.cpuUsage(own);
  const after = await redis.cpuMicros();
  return {
    redis: after - before,
    nodes: (user + system) / messages,
    commands: await redis.commands(),
    cpu: usage.between(fromMicros, toMicros),
    seconds: (toMicros - fromMicros) / 1e6,
  };
}

/**
 * Calls and time by command, idle nodes included. Time is that of a clock, so others on the core are in it, and that of a
 * script has its commands' in it.
 */
function commandFigures(stretches: readonly Stretch[], messages: number): Figure[] {
  const names = new Set(stretches.flatMap(({ commands }) => [...commands.keys()]));
  const rows = [...names].map((name) => {
    const stats = stretches.map(({ commands }) => commands.get(name) ?? { calls: 0, micros: 0 });
    const calls = mean(stats.map((stat) => stat.calls)) / messages;
    return { name, calls, micros: mean(stats.map((stat) => stat.micros)) / messages };
  });
  return rows
    .filter(({ calls }) => calls >= CALLS_MIN)
    .sort((a, b) => b.micros - a.micros)
    .flatMap(({ name, calls, micros }): Figure[] => [
      { name: `engine: ${name}`, value: calls, unit: 'calls' },
      { name: `engine: time of ${name}`, value: micros, unit: 'µs' },
    ]);
}

function idleFor(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function stoppable(series: UsageSeries): { series: UsageSeries; stop(): Promise<void> } {
  return {
    series,
    stop: () => {
      series.stop();
      return Promise.resolve();
    },
  };
}
