import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { findOrStartServers } from '@ws-gateway/local-servers';
import { Redis } from 'ioredis';
import { Kafka, logLevel, type Admin } from 'kafkajs';
import { ROOT } from './machine.js';
import { waitFor } from './wait.js';

export interface Servers {
  readonly brokers: string;
  readonly redisUrl: string;
  /** Process id of Redis; null when it does not run on this machine. */
  readonly redisPid: number | null;
  readonly admin: Admin;
  stop(): Promise<void>;
}

/** Takes the Kafka and Redis of BENCH_KAFKA (host:port) and BENCH_REDIS (URL), else starts fresh ones on free ports. */
export async function startServers(log: (line: string) => void): Promise<Servers> {
  const { BENCH_KAFKA, BENCH_REDIS } = process.env;
  const dataDir = join(ROOT, '.data', `bench-${randomUUID()}`);
  const servers = await findOrStartServers({
    ...(BENCH_KAFKA === undefined ? {} : { brokers: BENCH_KAFKA.split(',') }),
    ...(BENCH_REDIS === undefined ? {} : { redisUrl: BENCH_REDIS }),
    dataDir,
    cacheDir: join(ROOT, '.cache'),
    ports: 'random',
    freshOnly: true,
    log,
  });
  const stop = async (): Promise<void> => {
    await servers.stop();
    await rm(dataDir, { recursive: true, force: true });
  };
  const { kafka, redis } = servers;
  if (kafka === null || redis === null) {
    await stop();
    throw new Error(`a real Kafka and a real Redis are needed:\n${servers.missing.join('\n')}`);
  }
  const admin = new Kafka({ brokers: kafka.brokers.split(','), logLevel: logLevel.ERROR }).admin();
  await admin.connect();
  return {
    brokers: kafka.brokers,
    redisUrl: redis.url,
    redisPid: await localPid(redis.url),
    admin,
    async stop() {
      await admin.disconnect();
      await stop();
    },
  };
}

async function localPid(url: string): Promise<number | null> {
  if (!['127.0.0.1', 'localhost'].includes(new URL(url).hostname)) return null;
  const redis = new Redis(url);
  const pid = /^process_id:(\d+)/m.exec(await redis.info('server'))?.[1];
  redis.disconnect();
  return pid === undefined ? null : Number(pid);
}

/** Creates topics and waits until they can be used. `config` is Kafka's own for a topic. */
export async function createTopics(
  admin: Admin,
  names: readonly string[],
  partitions: number,
  config: Readonly<Record<string, string>> = {},
): Promise<void> {
  const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }));
  const topics = names.map((topic) => ({ topic, numPartitions: partitions, configEntries }));
  await admin.createTopics({ topics, waitForLeaders: false });
  await waitFor('the partitions to have leaders', 10_000, async () => {
    // This rejects as long as the broker has not heard of a topic.
    const metadata = await admin.fetchTopicMetadata({ topics: [...names] }).catch(() => null);
    return (
      metadata?.topics.every(({ partitions: all }) => all.filter(({ leader }) => leader >= 0).length === partitions) ??
      false
    );
  });
  // A leader may be named before it knows that it is one. kafkajs repeats a first send that meets such a partition as a
  // whole, and what the other partitions took of it is then there twice.
  await waitFor('the leaders to serve', 10_000, async () => {
    const offsets = Promise.all(names.map((topic) => admin.fetchTopicOffsets(topic)));
    return offsets.then(
      () => true,
      () => false,
    );
  });
}

/** Resolves when this number of members share the partitions and no rebalance is under way. */
export async function groupIsStable(admin: Admin, groupId: string, members: number): Promise<void> {
  await waitFor(`group ${groupId} to have ${members} members`, 20_000, async () => {
    const { groups } = await admin.describeGroups([groupId]);
    return groups[0]?.state === 'Stable' && groups[0].members.length === members;
  });
}
