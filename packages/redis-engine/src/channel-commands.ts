import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { serverName } from './epoch.js';
import type { Keys } from './keys.js';

/** The connection of a live channel, and what is said on it. */
export interface Channel {
  readonly redis: Redis;
  readonly commands: ChannelCommands;
}

/** Channels of a server, or in a cluster those of a slot. */
export interface ChannelCommands {
  /** Event of the library by which an announcement comes. */
  readonly event: 'messageBuffer' | 'smessageBuffer';
  /** Why the server of a new connection must not be listened to; null: it may be. */
  refusal(redis: Redis): Promise<string | null>;
  subscribe(redis: Redis, channels: readonly string[]): Promise<unknown>;
  unsubscribe(redis: Redis): Promise<unknown>;
}

export const serverChannels: ChannelCommands = {
  event: 'messageBuffer',
  refusal: () => Promise.resolve(null),
  subscribe: (redis, channels) => redis.subscribe(...channels),
  unsubscribe: (redis) => redis.unsubscribe(),
};

/** Time in ms that a node has to find out, and after which others look whether it has. */
const ASKING_MS = 10_000;
const LOOK_AGAIN_MS = 100;
const VERDICT_MS = 30 * 86_400_000;
const verdicts = { asking: '?', inShard: '1', inNone: '0' } as const;

/**
 * Makes the commands for shard channels, by partition. SPUBLISH ends a server of 7.2 or later that began, as a master,
 * with a `nodes.conf` of a release before: such a one has itself in no shard until it is started once more. Nothing is
 * published where nobody listens (include/outbox.lua), and nobody listens to such a server. To be asked for its shards
 * again and again ends it, too: so one node asks for all, and writes down what it heard of this process.
 */
export function shardChannels(keys: Keys): (partition: number) => ChannelCommands {
  const answers = new Map<string, Promise<boolean>>();
  const isInShard = (redis: Redis, server: string): Promise<boolean> => {
    const forget = (): boolean => answers.delete(server);
    const answer = answers.get(server) ?? askForShards(redis);
    answers.set(server, answer);
    answer.catch(forget);
    return answer;
  };
  return (partition) => ({
    event: 'smessageBuffer',
    async refusal(redis) {
      const server = serverName(await redis.info('server'));
      const key = keys.key(partition, 'IN_SHARD', server);
      const claim = (): Promise<string | null> => redis.set(key, verdicts.asking, 'PX', ASKING_MS, 'NX', 'GET');
      let verdict = await claim();
      for (; verdict === verdicts.asking; verdict = await claim()) await delay(LOOK_AGAIN_MS);
      if (verdict === null) {
        verdict = (await isInShard(redis, server)) ? verdicts.inShard : verdicts.inNone;
        await redis.set(key, verdict, 'PX', VERDICT_MS);
      }
      return verdict === verdicts.inShard ? null : 'the server is in no shard of its cluster';
    },
    subscribe: (redis, channels) => redis.ssubscribe(...channels),
    unsubscribe: (redis) => redis.sunsubscribe(),
  });
}

async function askForShards(redis: Redis): Promise<boolean> {
  const [id, shards] = await Promise.all([redis.cluster('MYID'), redis.cluster('SHARDS')]);
  return isNamed(shards, id as string);
}

/** Rows are lists of names and values, and one of the values is the list of nodes. */
function isNamed(reply: unknown, id: string): boolean {
  return Array.isArray(reply) ? reply.some((part) => isNamed(part, id)) : reply === id;
}
