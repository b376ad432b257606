export * from './errors.js';
export { findOrStartServers, type FindOptions, type HowFound, type LocalServers } from './find-or-start.js';
export { runKafkaTool, startLocalKafka, type KafkaListener, type KafkaServerOptions } from './kafka-server.js';
export type { LocalServer, LocalServerOptions } from './local-server.js';
export { freePort } from './ports.js';
export { dockerAnswers } from './compose.js';
export { startLocalRedis, startLocalSentinel, type RedisServerOptions, type SentinelOptions } from './redis-server.js';
