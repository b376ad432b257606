/**
 * node bench/publish-script.mjs redis://127.0.0.1:6379
 *
 * Measures what one message costs: CPU of Redis, of the publishing and of the receiving process. It needs a Redis of
 * its own (it reads the server's CPU time and empties it), and uses 5,000 users on 4 nodes, 512-byte frames and batches
 * of 128. The cost of one GET in a script is the figure to compare machines by, and a busy machine with itself.
 */
import '../scripts/typescript-sources.mjs';
import { Redis } from 'ioredis';

const { EngineStats } = await import('@ws-gateway/core');
const { RedisEngine } = await import('../packages/redis-engine/src/index.ts');
const { publishArgs, splitItems } = await import('../packages/redis-engine/src/publish-call.ts');
const { MessageDecoder } = await import('../packages/redis-engine/src/wire.ts');
const { RecentRecords } = await import('../packages/redis-engine/src/recent-records.ts');

const url = new URL(process.argv[2] ?? 'redis://127.0.0.1:6379');
const USERS = 5000;
const NODES = 4;
const BATCH = 128;
const BATCHES = Number(process.env.BATCHES ?? 800);
const FRAME_BYTES = 512;
const HOUR_MS = 3_600_000;

const quiet = () => undefined;
const logger = { error: quiet, warn: quiet, info: quiet, debug: quiet, child: () => logger };
const probe = new Redis(url.href);

let received = 0;
const inbox = {
  deliver: () => received++,
  broadcast: quiet,
  command: quiet,
  endBatch: quiet,
  rebuild: async () => undefined,
  holds: () => true,
};

const modes = {
  'no history': null,
  latest: { mode: 'latest', size: 1, ttlMs: HOUR_MS },
  'history of 100': { mode: 'ordered', size: 100, ttlMs: HOUR_MS },
};
for (const [name, retention] of Object.entries(modes))
  if (name.includes(process.argv[3] ?? '')) await measure(name, retention);
await probe.quit();

async function measure(name, retention) {
  await probe.flushall();
  const nodes = [];
  for (let i = 0; i < NODES; i++) {
    const server = { host: url.hostname, port: Number(url.port || 6379) };
    const options = { node: `n${i}`, role: 'all', server, keyPrefix: 'bench', partitions: 1 };
    nodes.push(new RedisEngine({ logger, stats: new EngineStats() }, options));
    await nodes[i].start(inbox);
  }
  for (let user = 0; user < USERS; user++) {
    const request = {
      user: `user-${user}`,
      connection: `c${user}`,
      endpoint: '/ws',
      sinceMs: 1,
      streams: [],
      sessions: null,
    };
    await nodes[user % NODES].admit(request);
  }
  // Only the second half is measured. Lists are long enough to be trimmed only with many batches (BATCHES=8000).
  await run(nodes[0], retention, 0, BATCHES);
  received = 0;
  const unit = await getInScript();
  const before = await serverCpu();
  const own = process.cpuUsage();
  const began = performance.now();
  await run(nodes[0], retention, BATCHES, BATCHES);
  while (received < BATCH * BATCHES) await new Promise((resolve) => setTimeout(resolve, 1));
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(own);
  const after = await serverCpu();
  const messages = BATCH * BATCHES;
  const each = (microseconds) => `${(microseconds / messages).toFixed(2)} µs`;
  const cpu = ((after - before) * 1e6) / messages;
  console.log(name);
  console.log(
    `  redis CPU       ${cpu.toFixed(2)} µs a message = ${(cpu / unit).toFixed(1)} GETs in a script of ${unit.toFixed(2)} µs`,
  );
  console.log(`  client CPU      ${each(user + system)} a message, publishing and receiving`);
  console.log(`  rate            ${Math.round(messages / seconds)}/s`);
  await codec(retention);
  for (const node of nodes) await node.stop();
}

async function run(engine, retention, from, count) {
  const flying = [];
  for (let batch = from; batch < from + count; batch++) {
    const previousOffset = batch === from ? -1 : batch * BATCH - 1;
    const source = { topic: 't', partition: 0, previousOffset, lastOffset: batch * BATCH + BATCH - 1 };
    flying.push(engine.publish({ source, items: items(batch, retention) }));
    if (flying.length >= 2) await flying.shift();
  }
  await Promise.all(flying);
}

function items(batch, retention) {
  return Array.from({ length: BATCH }, (_, i) => {
    const sourceOffset = batch * BATCH + i;
    // The router makes it the same way: a new string by concatenation.
    const head = '{"payload":"' + String(sourceOffset).padEnd(FRAME_BYTES - 40, 'x') + '","epoch":"';
    return {
      kind: 'user',
      topic: 'notifications',
      user: `user-${(sourceOffset * 7) % USERS}`,
      retention,
      head,
      sourceOffset,
      recordTimeMs: 1.7e12,
    };
  });
}

async function codec(retention) {
  const runs = 300;
  const batches = Array.from({ length: runs }, (_, i) => items(i, retention));
  let began = performance.now();
  for (const batch of batches) {
    const [chunk] = splitItems(batch, 1e6, () => 0);
    const part = { chunk, source: 't:0', previousOffset: -1, perItem: false, mark: null, originSuffix: ' 1234567890 ' };
    publishArgs([part], { epoch: '123456abcdefg', server: '123456', inboxBytesMax: 1e7, sharingNodesMin: 0 });
  }
  console.log(
    `  encode          ${(((performance.now() - began) * 1000) / runs / BATCH).toFixed(2)} µs a message (arguments only)`,
  );
  const header = Buffer.from('m\tnotifications/u/user-1234\t1700000000000 1234567890 77\tabcdefgh","offset":1234}');
  const parts = [header, Buffer.alloc(FRAME_BYTES, 'x')];
  const decoder = new MessageDecoder(inbox, new RecentRecords(), new EngineStats());
  began = performance.now();
  for (let i = 0; i < runs * BATCH; i++) decoder.decode(parts, 0, 1);
  console.log(`  decode          ${(((performance.now() - began) * 1000) / runs / BATCH).toFixed(2)} µs a message`);
}

/** Measures the CPU of one GET in a script now, in µs. */
async function getInScript() {
  const before = await serverCpu();
  await probe.eval("for i = 1, 200000 do redis.call('GET', 'k') end", 0);
  return ((await serverCpu()) - before) * 5;
}

async function serverCpu() {
  const info = await probe.info('cpu');
  const value = (name) => Number(new RegExp(`${name}:([\\d.]+)`).exec(info)[1]);
  return value('used_cpu_user') + value('used_cpu_sys');
}
