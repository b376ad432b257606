import { Redis } from 'ioredis';
import { replicaInSync } from './redis-replica.js';

/** A connection of a test's own to one of its servers, for what a gateway has no business with. */
export function redisAdmin({ port }: { port: number }): Redis {
  // One to a dead server would keep the process for two seconds.
  return new Redis({ host: '127.0.0.1', port, disconnectTimeout: 100 });
}

/** Lets the master's replica catch up, and nothing more reach it from then on. */
export async function stopReplication(master: { port: number }): Promise<void> {
  await replicaInSync(master);
  const admin = redisAdmin(master);
  await admin.acl('SETUSER', 'default', '-psync', '-sync');
  await admin.client('KILL', 'TYPE', 'replica');
  admin.disconnect();
}

/** Lets the server take connections and answer nothing until the returned function is called. */
export async function freezeRedis(admin: Redis): Promise<() => void> {
  const pid = Number(/^process_id:(\d+)/m.exec(await admin.info('server'))![1]);
  process.kill(pid, 'SIGSTOP');
  return () => process.kill(pid, 'SIGCONT');
}

/** Lets the server refuse all writes until the returned function is called. */
export async function refuseWrites(admin: Redis): Promise<() => Promise<unknown>> {
  await admin.config('SET', 'min-replicas-to-write', '1');
  return () => admin.config('SET', 'min-replicas-to-write', '0');
}

/** Steps the server's clock, as far as nodes can tell: scripts then find all leases another time away from their now. */
export async function stepClock(admin: Redis, keyPrefix: string, ms: number): Promise<void> {
  const key = `${keyPrefix}:{0}:nodes`;
  for (const node of await admin.zrange(key, 0, -1)) await admin.zincrby(key, -ms, node);
}
