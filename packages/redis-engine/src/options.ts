import type { EngineStats, Logger, NodeStatus, PresenceRow, Tracing } from '@ws-gateway/core';
import type { ConnectionOptions } from 'node:tls';
import type { Partitioning } from './keys.js';

export interface RedisEngineDependencies {
  readonly logger: Logger;
  readonly stats: EngineStats;
  readonly tracing?: Tracing;
}

export interface RedisEngineOptions extends Partitioning {
  /** Unique for each process start: rows of an id that comes again are taken for the same node. No white space. */
  readonly node: string;
  /** A `router` gets no messages, only commands. */
  readonly role: NodeStatus['role'];
  readonly server: RedisServer;
  readonly keyPrefix: string;
  /** Every call rejects with `unavailable` when it has no answer by then. Default 5 s. */
  readonly callTimeoutMs?: number;
  /** Time in ms that `start` tries to reach Redis. Default 10 s. */
  readonly startTimeoutMs?: number;
  /** A node that has not refreshed its lease for so long is taken for dead. Default 10 s. */
  readonly leaseMs?: number;
  /** Time in ms between two refreshes. Default 1 s. */
  readonly refreshMs?: number;
  /** Bytes that may wait for a node in each partition; when there are more it is told what it has missed. Default 32 MiB. */
  readonly inboxBytesMax?: number;
  /**
   * Nodes from which on what they all get is written once, into a log that they share, and not into the inbox of each. Default 8.
   */
  readonly sharingNodesMin?: number;
  /** Called with the presence rows this node took away for a dead one; each row is reported by one node only. */
  readonly onReaped?: (rows: readonly ReapedRow[]) => void;
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** `host` and `port` are not looked at when there are sentinels or a cluster. */
export interface RedisServer extends Address {
  readonly username?: string;
  readonly password?: string;
  readonly db?: number;
  readonly tls?: ConnectionOptions;
  readonly sentinel?: {
    readonly name: string;
    readonly nodes: readonly Address[];
    readonly username?: string;
    readonly password?: string;
  };
  /** Some nodes of a Redis Cluster; the others are found. Database 0 only. */
  readonly cluster?: { readonly nodes: readonly Address[] };
}

export interface ReapedRow extends PresenceRow {
  readonly user: string;
}

export type Settings = Required<Omit<RedisEngineOptions, 'onReaped'>> & Pick<RedisEngineOptions, 'onReaped'>;

export function withDefaults(options: RedisEngineOptions): Settings {
  return {
    callTimeoutMs: 5000,
    startTimeoutMs: 10_000,
    leaseMs: 10_000,
    refreshMs: 1000,
    inboxBytesMax: 32 * 1024 * 1024,
    sharingNodesMin: 8,
    partitioner: 'crc32',
    ...options,
  };
}
