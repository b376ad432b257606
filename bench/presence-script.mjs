/**
 * What a connection of a user costs Redis when the user has very many: script time of connect, refuse and disconnect.
 *
 *   node bench/presence-script.mjs [--redis redis://127.0.0.1:6379] [--rows 3,1000,30000]
 *
 * Uses the scripts of this tree, on keys of its own, which it takes away.
 */
import { parseArgs } from 'node:util';
import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import '../scripts/typescript-sources.mjs';

const { Keys } = await import('../packages/redis-engine/src/keys.ts');
const { loadScripts } = await import('../packages/redis-engine/src/scripts.ts');

const { values } = parseArgs({
  options: {
    redis: { type: 'string', default: 'redis://127.0.0.1:6379' },
    rows: { type: 'string', default: '3,1000,10000,30000' },
  },
});
const ROUNDS = 200;
const redis = new Redis(values.redis);
const scripts = loadScripts({ isCluster: false });
const keys = new Keys(`bench-${randomUUID()}`, { partitions: 1 });
const node = 'bench~1';
for (const { source } of scripts.values()) await redis.script('LOAD', source);

const run = (name, scriptKeys, args) => {
  const { sha, keys: count } = scripts.get(name);
  return redis.evalsha(sha, count, ...scriptKeys, ...args);
};
const admitKeys = [keys.base(0), keys.key(0, 'NODE_CONNECTIONS', node), keys.key(0, 'SEQUENCE', node)];
const admit = (connection, max) => {
  const asked = `${connection}\tu1\t1000\t/ws\t${max}\treject\t\t\t\t`;
  return run('admit', admitKeys, [node, 4501, 'session_replaced', 'e', '100000', 1e6, '', asked]);
};
const release = (connection) => run('release', admitKeys.slice(0, 2), [connection, 'u1']);

async function scriptMicros(action) {
  await redis.config('RESETSTAT');
  for (let i = 0; i < ROUNDS; i++) await action(i);
  const stats = await redis.info('commandstats');
  return Number(/cmdstat_evalsha:.*usec_per_call=([\d.]+)/.exec(stats)[1]);
}

console.log(['rows of the user', 'connect', 'refuse', 'disconnect'].join('\t'), '(µs of Redis)');
try {
  await redis.set(keys.key(0, 'SEQUENCE', node), 0);
  let there = 0;
  for (const rows of values.rows.split(',').map(Number)) {
    const pipeline = [];
    for (; there < rows; there++) pipeline.push(admit(`c${there}`, 0));
    await Promise.all(pipeline);
    const connect = await scriptMicros((i) => admit(`x${i}`, 0));
    const refuse = await scriptMicros((i) => admit(`y${i}`, rows));
    const disconnect = await scriptMicros((i) => release(`x${i}`));
    console.log([rows, connect, refuse, disconnect].join('\t'));
  }
} finally {
  const left = await redis.keys(`${keys.base(0)}*`);
  if (left.length > 0) await redis.unlink(...left);
  redis.disconnect();
}
