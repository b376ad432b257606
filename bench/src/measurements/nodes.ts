/**
 * Measures what nodes that do nothing but live cost Redis, by their number: their leases and inboxes, and what each asks about
 * all others at an interval. Nodes are engines without sockets; half of them say that they read topics.
 */
import type { RedisEngine } from '@ws-gateway/redis-engine';
import { MeasuredRedis } from '../lib/local-redis.js';
import { runLocalBench, type LocalBench } from '../lib/bench.js';
import { NodeLoad } from '../lib/node-load.js';
import type { Figure, Report } from '../lib/report.js';

/** `topics` that routers read; ms for which each kind of question is asked. */
const defaults = { nodes: 100, topics: 10, ms: 6000 };

interface Question {
  readonly name: string;
  readonly everyMs: number;
  ask(engine: RedisEngine): Promise<unknown>;
}

const beat = { member: `ws-gateway-${'0'.repeat(36)}`, leaseMs: 1600 };
/** What nodes ask by themselves (UnreadTopics, GroupWatch), and for comparison what a list of all nodes would cost. */
const questions: readonly Question[] = [
  { name: 'who reads topics, each second', everyMs: 1000, ask: (engine) => engine.topicsRead() },
  { name: 'all rows, each second', everyMs: 1000, ask: (engine) => engine.nodes() },
  { name: 'signs of life of routers, each 0.4 s', everyMs: 400, ask: (engine) => engine.beat('group', beat) },
];

await runLocalBench('nodes', defaults, measure);

async function measure(bench: LocalBench<typeof defaults>): Promise<Report> {
  const { ms } = bench.options;
  const redis = bench.ends(await MeasuredRedis.start((line) => bench.log(line)));
  bench.log(`${await redis.version()}, registering nodes`);
  const { engines } = bench.ends(await NodeLoad.start(redis, bench.options));
  const shareOfCore = async (): Promise<number> => {
    const [beganMs, before] = [performance.now(), await redis.cpuMicros()];
    await new Promise((resolve) => setTimeout(resolve, ms));
    return ((await redis.cpuMicros()) - before) / (performance.now() - beganMs) / 10;
  };
  bench.log('leases and inboxes');
  const idle = await shareOfCore();
  const figures: Figure[] = [{ name: 'leases and inboxes: of a core of Redis', value: idle, unit: '%' }];
  for (const { name, everyMs, ask } of questions) {
    bench.log(name);
    const stop = asking(engines, everyMs, ask);
    const share = await shareOfCore();
    stop();
    figures.push({ name: `${name}: of a core of Redis`, value: share - idle, unit: '%' });
  }
  return { figures, verdicts: {} };
}

/** Each at its own time. Ends what it began with what it returns. */
function asking(engines: readonly RedisEngine[], everyMs: number, ask: Question['ask']): () => void {
  const timers = new Set<NodeJS.Timeout>();
  const started = engines.map((engine, at) =>
    setTimeout(() => timers.add(setInterval(() => void ask(engine), everyMs)), (at / engines.length) * everyMs),
  );
  return () => {
    for (const timer of [...started, ...timers]) clearTimeout(timer);
  };
}
