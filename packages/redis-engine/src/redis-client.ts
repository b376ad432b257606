import { EngineError } from '@ws-gateway/core';
import { Redis, type RedisOptions } from 'ioredis';
import { serverChannels, shardChannels, type Channel } from './channel-commands.js';
import { ClusterMap, type SlotRange } from './cluster-map.js';
import type { Keys } from './keys.js';
import type { Address, RedisServer, Settings } from './options.js';
import { sentinelConnector } from './sentinel-connector.js';
import { connectorTo, DISCONNECT_TIMEOUT_MS } from './slot-connector.js';

const RETRY_DELAY_MAX_MS = 1000;
/** A Sentinel, or a node of a cluster, that hangs must not keep us from asking the next one. */
const ASK_TIMEOUT_MS = 2000;

/**
 * Connections for calls, for publishing, for reading inboxes and for the channel on which they are announced: one each, or
 * in a cluster one for each partition.
 */
export interface Clients {
  readonly calls: readonly Redis[];
  /** The same as for calls, unless the node both routes and has sockets: no handshake waits behind a large record. */
  readonly publishing: readonly Redis[];
  readonly inboxes: readonly Redis[];
  readonly channels: readonly Channel[];
  readonly isCluster: boolean;
}

/**
 * Makes the connections. In a cluster a connection belongs to a partition, not to a server: it leads to the master of
 * the partition's slot, which is looked up at each connect. One connection cannot wait for several inboxes there: XREAD
 * refuses keys of different slots, also when one node has them all.
 */
export function createClients(settings: Settings, keys: Keys): Clients {
  const { server, callTimeoutMs } = settings;
  const createPublishing = (calls: readonly Redis[], create: () => readonly Redis[]) =>
    settings.role === 'all' ? create() : calls;
  if (server.cluster === undefined) {
    const create = () => [createRedisClient(server, callTimeoutMs)];
    const calls = create();
    const publishing = createPublishing(calls, create);
    const channels = create().map((redis) => ({ redis, commands: serverChannels }));
    return { calls, publishing, inboxes: create(), channels, isCluster: false };
  }
  const map = new ClusterMap(server.cluster.nodes, (node) => askForSlots({ ...server, ...node }));
  const create = (partition: number): Redis => {
    const connector = connectorTo(() => map.masterOf(keys.slot(partition)), server.tls);
    return createRedisClient(server, callTimeoutMs, { Connector: connector });
  };
  // A router's only inbox is that of the first partition (membership.ts).
  const withInbox = settings.role === 'router' ? [0] : keys.all();
  const calls = keys.all().map(create);
  const publishing = createPublishing(calls, () => keys.all().map(create));
  const commandsOf = shardChannels(keys);
  const channels = withInbox.map((partition) => ({ redis: create(partition), commands: commandsOf(partition) }));
  return { calls, publishing, inboxes: withInbox.map(create), channels, isCluster: true };
}

/**
 * A connection that never keeps a command for later: the library's defaults would queue while Redis is away and send
 * everything, long stale, when it is back. It reconnects by itself; who uses it decides what to repeat.
 */
function createRedisClient(server: RedisServer, connectTimeoutMs: number, own: RedisOptions = {}): Redis {
  const { sentinel, host, port, username, password, db, tls } = server;
  const client = new Redis({
    ...(sentinel === undefined ? { host, port } : sentinelOptions(sentinel, tls)),
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls === undefined ? {} : { tls }),
    db: db ?? 0,
    lazyConnect: true,
    connectTimeout: connectTimeoutMs,
    disconnectTimeout: DISCONNECT_TIMEOUT_MS,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    maxRetriesPerRequest: 0,
    disableClientInfo: true,
    // Spread, so that nodes don't come back in step.
    retryStrategy: (attempt) => Math.min(RETRY_DELAY_MAX_MS, 50 * attempt) * (0.75 + Math.random() / 2),
    ...own,
  });
  limitGreeting(client, connectTimeoutMs);
  return client;
}

/** The library waits for ever for the first answers of a server that took the connection and hangs. */
function limitGreeting(client: Redis, timeoutMs: number): void {
  let timer: NodeJS.Timeout | undefined;
  client.on('connect', () => (timer = setTimeout(() => client.disconnect(true), timeoutMs)));
  for (const event of ['ready', 'close'] as const) client.on(event, () => clearTimeout(timer));
}

function sentinelOptions(sentinel: NonNullable<RedisServer['sentinel']>, tls: RedisServer['tls']): RedisOptions {
  const { name, nodes, username, password } = sentinel;
  return {
    name,
    sentinels: nodes.map(({ host, port }) => ({ host, port })),
    // A master that lives on is told to become a replica some ten seconds after its successor: all that is written to it
    // meanwhile is lost. So the Sentinels are listened to.
    Connector: sentinelConnector,
    failoverDetector: true,
    sentinelReconnectStrategy: () => RETRY_DELAY_MAX_MS,
    sentinelCommandTimeout: ASK_TIMEOUT_MS,
    ...(username === undefined ? {} : { sentinelUsername: username }),
    ...(password === undefined ? {} : { sentinelPassword: password }),
    // Without the first of them the library talks to the master in the clear, whatever `tls` says.
    ...(tls === undefined ? {} : { enableTLSForSentinelMode: true, sentinelTLS: tls }),
  };
}

/** A connection to each server that has keys of an installation: one, or the masters of a cluster. */
export async function mastersOf(server: RedisServer, timeoutMs: number): Promise<Redis[]> {
  const addresses = new Map<string, Address>();
  for (const node of server.cluster?.nodes ?? []) {
    for (const { master } of await askForSlots({ ...server, ...node }).catch(() => [])) {
      addresses.set(`${master.host}:${master.port}`, master);
    }
    if (addresses.size > 0) break;
  }
  const servers = server.cluster === undefined ? [server] : [...addresses.values()].map((at) => ({ ...server, ...at }));
  const clients = servers.map((one) => createRedisClient(one, timeoutMs, { retryStrategy: () => null }));
  for (const client of clients) {
    // Told by the rejection, too.
    client.on('error', () => undefined);
    await client.connect();
  }
  return clients;
}

async function askForSlots(server: RedisServer): Promise<SlotRange[]> {
  const client = createRedisClient(server, ASK_TIMEOUT_MS, {
    commandTimeout: ASK_TIMEOUT_MS,
    retryStrategy: () => null,
  });
  // Told by the rejection, too.
  client.on('error', () => undefined);
  try {
    await client.connect();
    const ranges = await client.cluster('SLOTS');
    // A node without a name is the one that was asked.
    return ranges.map(([first, last, master]) => {
      const [host, port] = master!;
      return { first, last, master: { host: host || server.host, port } };
    });
  } finally {
    client.disconnect();
  }
}

/** The library keeps trying by itself; this only waits for it. */
export function connected(client: Redis, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let cause: unknown = null;
    // What `connect` rejects with says only that the connection was closed; what closed it is told here.
    const onError = (error: unknown): void => void (cause = error);
    client.on('error', onError);
    const timer = setTimeout(() => {
      client.off('error', onError);
      reject(new EngineError('unavailable', `redis cannot be reached: ${String(cause)}`, { cause }));
    }, timeoutMs);
    client.once('ready', () => {
      clearTimeout(timer);
      client.off('error', onError);
      resolve();
    });
    client.connect().catch((error: unknown) => (cause ??= error));
  });
}
