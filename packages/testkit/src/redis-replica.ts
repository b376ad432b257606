import { Redis } from 'ioredis';
import { waitFor } from './wait.js';

const TIMEOUT_MS = 60_000;

/**
 * Resolves when the master's replica has acknowledged everything that was written up to now. (`WAIT` would only tell it
 * of what its own connection wrote.)
 */
export async function replicaInSync({ port }: { port: number }): Promise<void> {
  const master = new Redis({ host: '127.0.0.1', port });
  try {
    const written = Number(/^master_repl_offset:(\d+)/m.exec(await master.info('replication'))![1]);
    const hasAll = async (): Promise<boolean> => {
      const replica = /^slave0:.*state=online,offset=(\d+)/m.exec(await master.info('replication'));
      return replica !== null && Number(replica[1]) >= written;
    };
    await waitFor(hasAll, { timeoutMs: TIMEOUT_MS, what: 'a replica in sync' });
  } finally {
    master.disconnect();
  }
}
