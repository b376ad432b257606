import { redisAdmin, waitFor } from '@ws-gateway/testkit';

interface Server {
  readonly port: number;
}

/** Moves a slot as `redis-cli --cluster reshard` does it. */
export async function moveSlot(slot: number, from: Server, to: Server): Promise<void> {
  const [source, target] = [redisAdmin(from), redisAdmin(to)];
  try {
    const [sourceId, targetId] = [await source.cluster('MYID'), await target.cluster('MYID')];
    await target.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', sourceId as string);
    await source.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', targetId as string);
    for (;;) {
      const found = (await source.call('CLUSTER', 'GETKEYSINSLOT', slot, 100)) as string[];
      if (found.length === 0) break;
      await source.call('MIGRATE', '127.0.0.1', to.port, '', 0, 5000, 'KEYS', ...found);
    }
    for (const client of [target, source]) await client.call('CLUSTER', 'SETSLOT', slot, 'NODE', targetId as string);
  } finally {
    source.disconnect();
    target.disconnect();
  }
}

/** Waits until somebody listens at this server to the inbox of the node in the partition. */
export async function listensAt(
  server: Server,
  { node, partition }: { node: string; partition: number },
): Promise<void> {
  const admin = redisAdmin(server);
  const listens = async (): Promise<boolean> => {
    const found = (await admin.call('PUBSUB', 'SHARDCHANNELS', `*:{${partition}}:in:${node}~*`)) as string[];
    return found.length > 0;
  };
  try {
    await waitFor(listens, { timeoutMs: 30_000, what: `${node} to listen to partition ${partition}` });
  } finally {
    admin.disconnect();
  }
}
