import {
  unretainedPolicy,
  type EdgeOptions,
  type Logger,
  type Retention,
  type RouterOptions,
  type SseTransportOptions,
  type StreamPolicy,
} from '@ws-gateway/core';
import type { KafkaConnectionOptions } from '@ws-gateway/kafka-source';
import type { UwsTransportOptions } from '@ws-gateway/uws-transport';
import type { AdminDeps } from '../admin/route-context.js';
import type { Config } from '../config/config.js';
import { retentionOf } from '../config/resolve.js';
import { kafkaLogin } from './kafka-login.js';
import { connectionsMax, descriptorLimit } from './descriptors.js';
import { clientTls } from './client-tls.js';
import { listenHost } from './listen-host.js';
import type { LiveConfig } from './live-config.js';
import { TrustedProxies } from './trusted-proxies.js';

/**
 * What each part needs of the configuration. Parts never see the whole of it. Live keys are read where they are used, so
 * they are getters here.
 */
export function edgeOptions(live: LiveConfig, node: string): EdgeOptions {
  const { config } = live;
  const { auth, limits, server } = config;
  const proxies = new TrustedProxies(server.trustProxy);
  const descriptors = descriptorLimit();
  return {
    node,
    topics: [...config.topics.values()],
    get topicsPerConnection() {
      return live.config.limits.topicsPerConnection;
    },
    get connectionsMax() {
      return connectionsMax(live.config.limits.connections, descriptors);
    },
    heartbeatMs: server.heartbeatMs,
    tokenParameters: auth.queryParams,
    subprotocols: server.subprotocols,
    get allowedOrigins() {
      return live.config.server.allowedOrigins;
    },
    clientAddress: (handshake) => proxies.clientAddress(handshake),
    get connectionsPerUser() {
      return live.config.limits.connectionsPerUser;
    },
    get connectionsPerAddress() {
      return live.config.limits.connectionsPerAddress;
    },
    get handshakesPerSecond() {
      return live.config.limits.handshakesPerSecond;
    },
    get maxLifetimeMs() {
      return live.config.limits.maxLifetimeMs;
    },
    sessions: config.sessions,
    limits: {
      get requestsPerSecond() {
        return live.config.limits.requestsPerSecond;
      },
      get requestBytesPerSecond() {
        return live.config.limits.requestBytesPerSecond;
      },
      get sendsPerSecond() {
        return live.config.limits.sendsPerSecond;
      },
      get surveysPerSecond() {
        return live.config.limits.surveysPerSecond;
      },
      get historyBytes() {
        return live.config.limits.historyBytes;
      },
      get badRequests() {
        return live.config.limits.badRequests;
      },
    },
    get subscriptionsPerConnection() {
      return live.config.limits.subscriptionsPerConnection;
    },
    hubs: config.hubs.map(({ name }) => name),
    rooms: {
      policy: roomPolicy(config),
      get roomsPerConnection() {
        return live.config.limits.roomsPerConnection;
      },
    },
    sendEverywhere: config.inbound.enabled,
    eventsPath: config.sse.enabled ? config.sse.path : null,
    pipes: config.backends.ws.map(({ name, path, sessionPolicy }) => ({ name, path, sessionPolicy })),
    pipeActionBytes: limits.maxRecordBytes,
  };
}

/** null: there are no server-sent events. */
export function sseOptions(live: LiveConfig): SseTransportOptions | null {
  const { server, sse } = live.config;
  if (!sse.enabled) return null;
  return {
    path: sse.path,
    get allowedOrigins() {
      return live.config.server.allowedOrigins;
    },
    heartbeatMs: server.heartbeatMs,
    handshakeTimeoutMs: server.readTimeoutMs,
  };
}

export function transportOptions({ server, limits }: Config): UwsTransportOptions {
  const proxies = new TrustedProxies(server.trustProxy);
  return {
    host: listenHost(server.host),
    port: server.port,
    handshakeTimeoutMs: server.readTimeoutMs,
    writeTimeoutMs: server.writeTimeoutMs,
    maxPayloadBytes: limits.maxPayloadBytes,
    heartbeatMs: server.heartbeatMs,
    ...(server.proxyProtocol ? { proxyProtocol: (peer: string) => proxies.sendsHeader(peer) } : {}),
    reusePort: server.workers > 1,
    ...(server.tls === null ? {} : { tls: server.tls }),
  };
}

/** The port of operators: no sockets, no TLS. null: it is the port of the clients. */
export function opsTransportOptions(config: Config): UwsTransportOptions | null {
  const { ops } = config;
  if (ops.port === 0) return null;
  const { proxyProtocol: _, tls: __, ...shared } = transportOptions(config);
  return { ...shared, host: listenHost(ops.host), port: ops.port };
}

function roomPolicy(config: Config): StreamPolicy {
  const { slow, queueBytes } = config.rooms;
  return { ...unretainedPolicy('room'), retention: roomRetention(config), slow, queueBytes };
}

export function roomRetention(config: Config): Retention | null {
  return retentionOf('ordered', config.rooms.history);
}

type AdminOptions = Pick<
  AdminDeps,
  'topics' | 'maxRecordBytes' | 'roomRetention' | 'historyBytes' | 'clientAddress' | 'workers'
>;

export function adminOptions(live: LiveConfig): AdminOptions {
  const { config } = live;
  const { topics, limits, server } = config;
  const proxies = new TrustedProxies(server.trustProxy);
  return {
    topics,
    maxRecordBytes: limits.maxRecordBytes,
    roomRetention: roomRetention(config),
    workers: server.workers,
    historyBytes: () => live.config.limits.historyBytes,
    clientAddress: (request) =>
      proxies.clientAddress({
        remoteAddress: request.remoteAddress,
        forwardedFor: request.header('x-forwarded-for'),
      }),
  };
}

export function routerOptions(config: Config): RouterOptions {
  return {
    topics: [...config.topics.values()],
    groupId: config.kafka.groupId,
    deadLetterTopic: config.kafka.deadLetterTopic,
    maxRecordBytes: config.limits.maxRecordBytes,
    roomRetention: roomRetention(config),
    perUserStats: config.metrics.perUser,
  };
}

/** A node without topics needs no Kafka: hubs, rooms and pipes work without one. */
export function readsKafka({ role, topics }: Config): boolean {
  return role !== 'edge' && topics.size > 0;
}

/** Made once a process: all that use it share its login token. */
export function kafkaConnection(config: Config, logger: Logger): KafkaConnectionOptions {
  const { brokers, tls, sasl } = config.kafka;
  return {
    brokers,
    clientId: 'ws-gateway',
    logger,
    ...(tls === null ? {} : { tls: clientTls(tls) }),
    ...(sasl === null ? {} : { sasl: kafkaLogin(sasl, logger) }),
  };
}
