/**
 * node bench/idle-users-script.mjs redis://127.0.0.1:6379
 *
 * Measures what users who are connected and get nothing take in Redis, and what is left of them when they have gone. It
 * needs a Redis of its own, which it empties.
 */
import '../scripts/typescript-sources.mjs';
import { Redis } from 'ioredis';

const { EngineStats } = await import('@ws-gateway/core');
const { RedisEngine } = await import('../packages/redis-engine/src/index.ts');

const USERS = Number(process.env.USERS ?? 10_000);
const url = new URL(process.argv[2] ?? 'redis://127.0.0.1:6379');
const probe = new Redis(url.href);
await probe.flushall();

const quiet = () => undefined;
const logger = { error: quiet, warn: quiet, info: quiet, debug: quiet, child: () => logger };
const inbox = {
  deliver: quiet,
  broadcast: quiet,
  command: quiet,
  endBatch: quiet,
  rebuild: async () => undefined,
  holds: () => true,
};
const server = { host: url.hostname, port: Number(url.port || 6379) };
// As a pod's name and the engine's life make it.
const options = { node: 'ws-gateway-edge-7d4b9c6f5-x2x4z', role: 'all', server, keyPrefix: 'wsg', partitions: 1 };
const engine = new RedisEngine({ logger, stats: new EngineStats() }, options);
await engine.start(inbox);

const retention = { mode: 'ordered', size: 100, ttlMs: 3_600_000 };
const name = (at) => `user-${String(at).padStart(8, '0')}`;
const connection = (at) => `k3f9z8x7w6v5u4t${String(at).padStart(7, '0')}`;
const streams = (user) =>
  ['notifications', 'balance-updates'].map((topic) => ({ stream: `${topic}/u/${user}`, retention, user }));
const all = Array.from({ length: USERS }, (_, at) => at);

async function usedBytes() {
  return Number(/^used_memory:(\d+)/m.exec(await probe.info('memory'))[1]);
}
async function inChunks(work) {
  for (let at = 0; at < USERS; at += 500) await Promise.all(all.slice(at, at + 500).map(work));
}
function each(what, bytes) {
  console.log(`${what.padEnd(44)} ${(bytes / USERS).toFixed(0)} bytes a user`);
}

const before = await usedBytes();
const keysBefore = await probe.dbsize();
await inChunks(async (at) => {
  const user = name(at);
  const origin = { connection: connection(at), user, endpoint: '/ws', sinceMs: Date.now() };
  await engine.admit({ ...origin, streams: streams(user), sessions: null });
});
each('connected, with two topics that keep', (await usedBytes()) - before);
for (const key of (await probe.keys(`*${name(1)}*`)).sort()) {
  console.log(`  ${key.padEnd(42)} ${await probe.memory('USAGE', key)} bytes`);
}
await engine.release(all.map((at) => ({ connection: connection(at), user: name(at) })));
while (Number(await probe.scard((await probe.keys('*:nc:*'))[0] ?? 'none')) > 0)
  await new Promise((go) => setTimeout(go, 20));
each('left when they have gone', (await usedBytes()) - before);
console.log(`${'keys left'.padEnd(44)} ${(await probe.dbsize()) - keysBefore}`);
await engine.stop();
await probe.quit();
