import { OUTCOMES_TOLD } from '../schema/server-keys.js';
import { ACK_TIMEOUT } from '../schema/traffic-keys.js';
import { duration } from '../language/formats.js';
import { when, type Rule } from './rule.js';

/** Rules about what nodes and servers have to agree on. */
export const clusterRules: readonly Rule[] = [
  {
    doc: '`engine: memory` is one single node: role `all`, one worker.',
    reads: ['engine', 'role', 'server.workers'],
    check: ({ engine, role, server }) => [
      ...when(
        engine === 'memory' && role !== 'all',
        'role',
        `${role} needs engine redis: memory is not shared by nodes`,
      ),
      ...when(
        engine === 'memory' && server.workers > 1,
        'server.workers',
        'more than one needs engine redis: memory is not shared by processes',
      ),
    ],
  },
  {
    doc: 'A drain ends before its deadline.',
    reads: ['server.drain'],
    check: ({ server: { drain } }) =>
      when(
        drain.durationMs > drain.deadlineMs,
        'server.drain.duration',
        'must not be longer than server.drain.deadline',
      ),
  },
  {
    doc: '`server.port: 0` works with one worker.',
    reads: ['server.port', 'server.workers'],
    check: ({ server }) =>
      when(server.port === 0 && server.workers > 1, 'server.port', 'must be given when workers share it'),
  },
  {
    doc: 'Redis: one address in mode `standalone`, name and nodes in mode `sentinel`, database 0 in mode `cluster`.',
    reads: ['redis'],
    check: ({ redis, engine }) => [
      ...when(
        engine === 'redis' && redis.mode === 'standalone' && redis.addr.length > 1,
        'redis.addr',
        'must be one address in mode standalone',
      ),
      ...when(
        redis.mode === 'sentinel' && redis.sentinel.name === '',
        'redis.sentinel.name',
        'missing: needed in mode sentinel',
      ),
      ...when(
        redis.mode === 'sentinel' && redis.sentinel.nodes.length === 0,
        'redis.sentinel.nodes',
        'missing: needed in mode sentinel',
      ),
      ...when(redis.mode === 'cluster' && redis.db !== 0, 'redis.db', 'must be 0 in mode cluster'),
    ],
  },
  {
    doc: 'A router has something to read.',
    reads: ['role', 'topics', 'kafka.topics'],
    check: ({ role, topics }) =>
      when(
        role === 'router' && Object.keys(topics).length === 0,
        'kafka.topics',
        'must name at least one topic for a router',
      ),
  },
  {
    doc: '`snapshot` needs mode `latest` and a history.',
    reads: ['topics'],
    check: ({ topics }) =>
      Object.entries(topics).flatMap(([name, { snapshot, mode, history }]) => [
        ...when(snapshot && mode !== 'latest', `topics.${name}.snapshot`, 'needs mode latest'),
        ...when(snapshot && mode === 'latest' && history.size === 0, `topics.${name}.snapshot`, 'needs a history'),
      ]),
  },
  {
    doc: '`ack` needs a history.',
    reads: ['topics'],
    check: ({ topics }) =>
      Object.entries(topics).flatMap(([name, { ack, history }]) =>
        when(ack && history.size === 0, `topics.${name}.ack`, 'needs a history'),
      ),
  },
  {
    doc: '`ackTimeout` other than its default needs `ack`, and `deliveries` are not for `user-blocks`.',
    reads: ['topics'],
    check: ({ topics }) =>
      Object.entries(topics).flatMap(([name, { ack, ackTimeoutMs, deliveries }]) => [
        ...when(
          !ack && ackTimeoutMs !== duration().read(ACK_TIMEOUT),
          `topics.${name}.ackTimeout`,
          'needs ack: clients of this topic do not acknowledge',
        ),
        ...when(
          deliveries && name === 'user-blocks',
          `topics.${name}.deliveries`,
          'cannot be true for user-blocks: its records are commands',
        ),
      ]),
  },
  {
    doc: '`deliveries.outcomes` other than its default has `unacked` only where a topic with `deliveries` has `ack`.',
    reads: ['topics', 'deliveries.outcomes'],
    check: ({ topics, deliveries: { outcomes } }) =>
      when(
        outcomes.includes('unacked') &&
          outcomes.join() !== OUTCOMES_TOLD.join() &&
          !Object.values(topics).some(({ ack, deliveries }) => ack && deliveries),
        'deliveries.outcomes',
        'unacked needs a topic with deliveries and ack',
      ),
  },
];
