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
