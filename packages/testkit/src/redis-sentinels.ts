import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { freePort, startLocalSentinel, type LocalServer } from '@ws-gateway/local-servers';
import { replicaInSync } from './redis-replica.js';
import { newDataDir, startRedis, type OwnServer } from './servers.js';

const cacheDir = fileURLToPath(new URL('../../../.cache', import.meta.url));
const GROUP = 'gateway-master';
const USER = { username: 'gateway', password: 'sentinel-secret' } as const;
const SENTINELS = 3;
/**
 * Silence after which Sentinels take a master for dead: short enough for a test, long enough for a busy machine not to
 * lose a living master.
 */
const DOWN_AFTER_MS = 2_000;

/** A master, its replica and three Sentinels that watch them. */
export class RedisSentinels {
  readonly name = GROUP;
  /** A user whom the Sentinels know, with the rights that docs/operations-redis-kafka.md names. */
  readonly user = USER;
  readonly master: OwnServer;
  readonly replica: OwnServer;
  readonly #sentinels: readonly LocalServer[];
  readonly #dataDir: string;

  private constructor(servers: { master: OwnServer; replica: OwnServer; sentinels: LocalServer[] }, dataDir: string) {
    this.master = servers.master;
    this.replica = servers.replica;
    this.#sentinels = servers.sentinels;
    this.#dataDir = dataDir;
  }

  /** Starts all five. `rights` is the part of the user's ACL rule that follows its password. */
  static async start(rights = 'allchannels +@all'): Promise<RedisSentinels> {
    const dataDir = newDataDir();
    const started: LocalServer[] = [];
    const keep = <Server extends LocalServer>(server: Server): Server => {
      started.push(server);
      return server;
    };
    try {
      const settings = ['--repl-diskless-sync-delay', '0'];
      const master = keep(await startRedis({ settings }));
      const replica = keep(await startRedis({ settings: [...settings, '--replicaof', `127.0.0.1 ${master.port}`] }));
      await replicaInSync(master);
      const peers = await peersOf(SENTINELS);
      const lines = [`user ${USER.username} on >${USER.password} ${rights}`, ...watching({ master, replica })];
      const sentinels = await Promise.all(peers.map((peer) => startSentinel(peer, { peers, lines, dataDir })));
      sentinels.map(keep);
      return new RedisSentinels({ master, replica, sentinels }, dataDir);
    } catch (error) {
      await Promise.all(started.map((server) => server.stop()));
      throw error;
    }
  }

  get nodes(): { host: string; port: number }[] {
    return this.#sentinels.map(({ port }) => ({ host: '127.0.0.1', port }));
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#sentinels, this.master, this.replica].map((server) => server.stop()));
    await rm(this.#dataDir, { recursive: true, force: true });
  }
}

interface Peer {
  readonly id: string;
  readonly port: number;
}

async function peersOf(count: number): Promise<Peer[]> {
  const peers: Peer[] = [];
  while (peers.length < count) peers.push({ id: randomBytes(20).toString('hex'), port: await freePort() });
  return peers;
}

/**
 * Starts one Sentinel. It knows the others and the replica from the beginning, because finding each other takes
 * seconds.
 */
function startSentinel(
  self: Peer,
  { peers, lines, dataDir }: { peers: readonly Peer[]; lines: readonly string[]; dataDir: string },
): Promise<LocalServer> {
  const others = peers.filter((peer) => peer !== self);
  const settings = [
    `sentinel myid ${self.id}`,
    ...lines,
    ...others.map(({ id, port }) => `sentinel known-sentinel ${GROUP} 127.0.0.1 ${port} ${id}`),
  ];
  const log = (): void => undefined;
  return startLocalSentinel({ port: self.port, dataDir: join(dataDir, self.id), cacheDir, settings, log });
}

function watching({ master, replica }: { master: OwnServer; replica: OwnServer }): string[] {
  return [
    `sentinel monitor ${GROUP} 127.0.0.1 ${master.port} 2`,
    `sentinel down-after-milliseconds ${GROUP} ${DOWN_AFTER_MS}`,
    // An election that came to nothing is repeated after twice this time.
    `sentinel failover-timeout ${GROUP} 5000`,
    `sentinel known-replica ${GROUP} 127.0.0.1 ${replica.port}`,
  ];
}
