/**
 * Measures what Redis takes for those who do nothing but are there, and for what is kept: bytes of an idle user and of a kept
 * message, CPU of coming, going and of taking a dead node's rows away. Twice, the second time with many more rows.
 */
import { MeasuredRedis } from '../lib/local-redis.js';
import { runLocalBench, type LocalBench } from '../lib/bench.js';
import type { Figure, Report } from '../lib/report.js';
import { RowLoad } from '../lib/row-load.js';

/** Users of the first and of the second size; streams that get `kept` messages; rows of the node that dies. */
const defaults = { few: 20_000, many: 200_000, streams: 2_000, kept: 100, dead: 100_000 };

await runLocalBench('rows', defaults, measure);

async function measure(bench: LocalBench<typeof defaults>): Promise<Report> {
  const { few, many, streams, kept, dead } = bench.options;
  const redis = bench.ends(await MeasuredRedis.start((line) => bench.log(line)));
  const load = bench.ends(await RowLoad.start(redis));
  const figures: Figure[] = [];
  const of = async (name: string, count: number, action: () => Promise<void>, bytes = false): Promise<void> => {
    bench.log(name);
    const [cpu, used, own] = [await redis.cpuMicros(), await redis.usedBytes(), process.cpuUsage()];
    await action();
    const { user, system } = process.cpuUsage(own);
    figures.push(
      { name: `${name}: CPU of Redis`, value: ((await redis.cpuMicros()) - cpu) / count, unit: 'µs' },
      { name: `${name}: CPU of the node`, value: (user + system) / count, unit: 'µs' },
    );
    if (bytes) figures.push({ name, value: ((await redis.usedBytes()) - used) / count, unit: 'bytes' });
  };
  await of('a user comes, few are there', few, () => load.admit(few), true);
  await of('a user goes, few are there', few / 4, () => load.release(few / 4));
  await of('a user comes, the many', many, () => load.admit(many), true);
  await of('a user comes, many are there', few / 4, () => load.admit(few / 4));
  await of('a user goes, many are there', few / 4, () => load.release(few / 4));
  await of('a message is kept', streams * kept, () => load.keep(streams, kept), true);
  await load.release(Math.max(0, load.present - dead));
  const rows = load.present;
  const began = performance.now();
  await of('a row of a dead node', rows, () => load.leave());
  figures.push({ name: `reaping ${rows} rows`, value: (performance.now() - began) / 1000, unit: 's' });
  return { figures, verdicts: {} };
}
