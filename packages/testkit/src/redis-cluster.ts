import { randomBytes } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TlsOptions } from 'node:tls';
import { freePort } from '@ws-gateway/local-servers';
import { Redis } from 'ioredis';
import { newDataDir, startRedis, type OwnServer } from './servers.js';
import { TcpProxy } from './tcp-proxy.js';
import { waitFor } from './wait.js';

export interface RedisClusterOptions {
  readonly masters?: number;
  /** Number of replicas of each master. */
  readonly replicas?: number;
  /** Silence in ms after which a master is replaced. When it is too short, a busy machine replaces living masters. */
  readonly nodeTimeoutMs?: number;
  /** TLS options of all members. Not to be combined with replicas, which would have to speak TLS, too. */
  readonly tls?: TlsOptions;
  /** Whether the members know of shards. False: they begin with what Redis 7.0 knew, as right after an upgrade. */
  readonly knowsShards?: boolean;
}

interface Member {
  readonly id: string;
  /** That of its master; null where members do not know of shards. */
  readonly shard: string | null;
  readonly port: number;
  /** Port that clients are told. */
  readonly announcedPort: number;
  readonly busPort: number;
  /** Index of the master that it is a replica of; null for a master. */
  readonly of: number | null;
  readonly slots: string;
}

const SLOTS = 16_384;
const NODE_TIMEOUT_MS = 2_000;
const FORMED_TIMEOUT_MS = 60_000;

/** A real Redis Cluster of processes on this machine, ready to be used and to lose some of them. */
export class RedisCluster {
  /** Addresses of some nodes as clients reach them, masters first. */
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  readonly #servers: readonly OwnServer[];
  readonly #proxies: readonly TcpProxy[];
  readonly #dataDir: string;

  private constructor(
    members: readonly Member[],
    { servers, proxies }: { servers: readonly OwnServer[]; proxies: readonly TcpProxy[] },
    dataDir: string,
  ) {
    this.nodes = members.map(({ announcedPort }) => ({ host: '127.0.0.1', port: announcedPort }));
    this.#servers = servers;
    this.#proxies = proxies;
    this.#dataDir = dataDir;
  }

  /**
   * Starts the cluster. The members read from a file who they all are: meeting and voting would take ten times as long.
   */
  static async start(options: RedisClusterOptions = {}): Promise<RedisCluster> {
    const { tls } = options;
    const planned = await plan(options);
    const proxies = await Promise.all(
      tls === undefined ? [] : planned.map(({ port }) => TcpProxy.start({ port, tls })),
    );
    const members = planned.map((member, at) => ({ ...member, announcedPort: proxies[at]?.port ?? member.port }));
    const dataDir = newDataDir();
    const nodeTimeoutMs = options.nodeTimeoutMs ?? NODE_TIMEOUT_MS;
    const starts = members.map((_, at) => startMember(members, at, { dataDir, nodeTimeoutMs }));
    const settled = await Promise.allSettled(starts);
    const servers = settled.flatMap((start) => (start.status === 'fulfilled' ? [start.value] : []));
    const cluster = new RedisCluster(members, { servers, proxies }, dataDir);
    try {
      await Promise.all(starts);
      await Promise.all(servers.map((server) => formed(server)));
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  /** Finds the server that serves the slot now, as the living members say. */
  async masterOf(slot: number): Promise<OwnServer> {
    const [asked] = this.#servers.filter(({ running }) => running);
    return ask(asked!, async (client) => {
      const ranges = await client.cluster('SLOTS');
      const [, , master] = ranges.find(([first, last]) => first <= slot && slot <= last)!;
      const [, port] = master!;
      return this.#servers[this.nodes.findIndex((node) => node.port === port)]!;
    });
  }

  async replicaOf(master: OwnServer): Promise<OwnServer> {
    return ask(master, async (client) => {
      const [, port] = /^slave0:.*port=(\d+)/m.exec(await client.info('replication'))!;
      return this.#servers[this.nodes.findIndex((node) => node.port === Number(port))]!;
    });
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#proxies, ...this.#servers].map((part) => part.stop()));
    await rm(this.#dataDir, { recursive: true, force: true });
  }
}

async function plan(options: RedisClusterOptions): Promise<Omit<Member, 'announcedPort'>[]> {
  const { masters = 3, replicas = 0, knowsShards = true } = options;
  const shards = Array.from({ length: masters }, () => (knowsShards ? newName() : null));
  const members: Omit<Member, 'announcedPort'>[] = [];
  for (let at = 0; at < masters * (1 + replicas); at++) {
    const isMaster = at < masters;
    const slots = `${Math.ceil((at * SLOTS) / masters)}-${Math.ceil(((at + 1) * SLOTS) / masters) - 1}`;
    members.push({
      id: newName(),
      shard: shards[at % masters]!,
      port: await freePort(),
      busPort: await freePort(),
      of: isMaster ? null : at % masters,
      slots: isMaster ? slots : '',
    });
  }
  return members;
}

function newName(): string {
  return randomBytes(20).toString('hex');
}

async function startMember(
  members: readonly Member[],
  at: number,
  { dataDir, nodeTimeoutMs }: { dataDir: string; nodeTimeoutMs: number },
): Promise<OwnServer> {
  const { port, announcedPort, busPort } = members[at]!;
  const folder = join(dataDir, String(at));
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'nodes.conf'), nodesFile(members, at));
  // prettier-ignore
  const settings = ['--cluster-enabled', 'yes', '--cluster-port', String(busPort),
    '--cluster-announce-port', String(announcedPort),
    '--cluster-node-timeout', String(nodeTimeoutMs), '--cluster-replica-validity-factor', '0',
    '--cluster-allow-replica-migration', 'no', '--repl-diskless-sync-delay', '0'];
  return startRedis({ port, dataDir: folder, settings });
}

function nodesFile(members: readonly Member[], self: number): string {
  const lines = members.map(({ id, shard, announcedPort, busPort, of, slots }, at) => {
    // Redis 7.0 takes it for a host name, until the members greet each other.
    const auxiliary = shard === null ? '' : `,,shard-id=${shard}`;
    const flags = `${at === self ? 'myself,' : ''}${of === null ? 'master' : 'slave'}`;
    const epoch = (of ?? at) + 1;
    const address = `127.0.0.1:${announcedPort}@${busPort}${auxiliary}`;
    return `${id} ${address} ${flags} ${of === null ? '-' : members[of]!.id} 0 0 ${epoch} connected ${slots}`;
  });
  return [...lines.map((line) => line.trimEnd()), `vars currentEpoch ${members.length} lastVoteEpoch 0`, ''].join('\n');
}

async function formed(server: OwnServer): Promise<void> {
  const isReady = async (client: Redis): Promise<boolean> => {
    const [cluster, replication] = [await client.cluster('INFO'), await client.info('replication')];
    return /cluster_state:ok/.test(cluster) && !/master_link_status:down/.test(replication);
  };
  await ask(server, (client) =>
    waitFor(() => isReady(client), { timeoutMs: FORMED_TIMEOUT_MS, what: 'a Redis Cluster that has formed' }),
  );
}

async function ask<Answer>(server: OwnServer, question: (client: Redis) => Promise<Answer>): Promise<Answer> {
  const client = new Redis({ port: server.port, host: '127.0.0.1' });
  try {
    return await question(client);
  } finally {
    client.disconnect();
  }
}
