import type { LabelCounter, RouterStats } from '@ws-gateway/core';
import { backendMetrics } from './backend-metrics.js';
import type { MetricDefinition } from './metric-definition.js';
import { processMetrics } from './process-metrics.js';
import { websocketMetrics } from './websocket-metrics.js';

const kafkaMetrics: readonly MetricDefinition[] = [
  {
    ...{ name: 'kafka_messages_processed_total', type: 'counter', labels: ['topic'] },
    help: 'Records taken from Kafka and settled. Standing still while lag grows: the router is stuck.',
    read: ({ router }) => router.messagesProcessed,
  },
  {
    ...{ name: 'kafka_processing_rate', type: 'gauge', labels: ['topic'] },
    help: 'Records per second, averaged over the time since the scrape before (at least one second).',
    read: ({ router, processed }) => processed.read(router.messagesProcessed.values),
  },
  {
    // In a rebalance two processes may know the same partition for a moment.
    ...{ name: 'kafka_consumer_lag', type: 'gauge', labels: ['topic', 'partition'], aggregator: 'max' },
    help: 'Records behind the end of the partitions assigned here. Lasting growth: add routers or find what slows them.',
    read: ({ router }) => router.lag,
  },
  {
    ...{ name: 'kafka_topics_missing', type: 'gauge', labels: ['topic'], aggregator: 'max' },
    help: 'Always 1, for each configured Kafka topic that does not exist. Create it, or mend the name in the configuration.',
    read: ({ router }) => missingIn(router.topicTroubles),
  },
  {
    ...{ name: 'kafka_deserialize_errors_total', type: 'counter', labels: [] },
    help: 'Records that could not be read. Each is a dead letter; growth: a producer writes a wrong format.',
    read: ({ router }) => router.deserializeErrors,
  },
  {
    ...{ name: 'kafka_errors_total', type: 'counter', labels: ['code'] },
    help: 'Errors of the Kafka client by code. Some belong to a rebalance or broker restart; lasting growth does not.',
    read: ({ router }) => router.kafkaErrors,
  },
  {
    ...{ name: 'kafka_dead_letters_total', type: 'counter', labels: ['topic', 'reason'] },
    help: 'Records written to the dead letter topic, by reason. Any growth deserves a look at that topic.',
    read: ({ router }) => router.deadLetters,
  },
  {
    ...{ name: 'kafka_records_skipped_total', type: 'counter', labels: ['topic'] },
    help: 'Records that became no message because the when or tombstone key of their topic says so. Nothing is wrong with them.',
    read: ({ router }) => router.skipped,
  },
  {
    ...{ name: 'kafka_dead_letters_lost_total', type: 'counter', labels: ['code'] },
    help: 'Dead letters that the broker refused for good, by its code. The log says where each of them came from.',
    read: ({ router }) => router.deadLettersLost,
  },
  {
    ...{ name: 'kafka_topic_trouble', type: 'gauge', labels: ['topic', 'reason'], aggregator: 'max' },
    help: '1 while a topic (Kafka’s name) is missing, forbidden, unreadable or unread, while the others may flow.',
    read: ({ router }) => troublesByTopic(router.topicTroubles),
  },
  {
    ...{ name: 'kafka_events_dropped_total', type: 'counter', labels: ['topic'] },
    help: 'Presence and subscription events given up because 100 000 waited already. Any growth: Kafka was away for long.',
    read: ({ edge }) => edge.eventsDropped,
  },
  {
    ...{ name: 'messages_expired_total', type: 'counter', labels: ['topic'] },
    help: 'Messages given up: records older than their ttl on arrival, and unacknowledged ones the history lost. Growth: the router lags, a ttl or history is too short.',
    read: ({ router, edge }) => sum(router.expired, edge.expired),
  },
  {
    ...{ name: 'messages_routed_total', type: 'counter', labels: ['result'] },
    help: 'Messages by where they went: to a node, to nobody (offline), or skipped because they were applied before.',
    read: ({ router }) =>
      new Map([
        ['routed', router.routed],
        ['offline', router.offline],
        ['duplicate', router.duplicates],
      ]),
  },
  {
    ...{ name: 'deliveries_total', type: 'counter', labels: ['outcome'] },
    help: 'Messages of topics with `deliveries` by what became of them, as this node has told Kafka.',
    read: ({ router }) => router.outcomes,
  },
  {
    ...{ name: 'deliveries_lost_total', type: 'counter', labels: [] },
    help: 'Messages whose outcome nobody will hear of, because 200 000 waited already in a part of Redis, or Kafka refused it as too large. Any growth: Kafka was away for long, or ids are.',
    read: ({ router }) => router.outcomesLost,
  },
  {
    ...{ name: 'deliveries_pending', type: 'gauge', labels: [] },
    help: 'Messages whose outcome is open, in the parts of Redis that this node reports of.',
    read: ({ router }) => router.outcomesPending,
  },
  {
    ...{ name: 'business_messages_by_type_total', type: 'counter', labels: ['type'] },
    help: 'Records by message type. What is usual is for the business to say; a type missing for long is news.',
    read: ({ router }) => router.messagesByType,
  },
  {
    ...{ name: 'business_messages_by_user_total', type: 'counter', labels: ['user'], perUser: true },
    help: 'Records by user. A series per user: for small installations.',
    read: ({ router }) => router.messagesByUser,
  },
];

const engineMetrics: readonly MetricDefinition[] = [
  {
    ...{ name: 'redis_client_registrations_total', type: 'counter', labels: [] },
    help: 'Connections entered into the presence table.',
    read: ({ engine }) => engine.registrations,
  },
  {
    ...{ name: 'redis_client_unregistrations_total', type: 'counter', labels: [] },
    help: 'Connections taken out of it. Its distance to the registrations is what is open, over all nodes.',
    read: ({ engine }) => engine.unregistrations,
  },
  {
    ...{ name: 'redis_message_publications_total', type: 'counter', labels: [] },
    help: 'Batches handed to nodes.',
    read: ({ engine }) => engine.publications,
  },
  {
    ...{ name: 'redis_operation_latency_seconds', type: 'histogram', labels: [] },
    help: 'Time of one call. Lasting high values: Redis is busy or far away, and every message waits for it.',
    read: ({ engine }) => engine.operationSeconds,
  },
  {
    ...{ name: 'redis_operation_errors_total', type: 'counter', labels: ['type'] },
    help: 'Failed calls by kind. Growth while Redis is up: see the log for the operation.',
    read: ({ engine }) => engine.operationErrors,
  },
  {
    ...{ name: 'engine_inbox_batches_total', type: 'counter', labels: ['way'] },
    help: 'Batches that reached this node, by way: announced on its channel, or read from its inbox. Only read ones at low rates: the channel does not work.',
    read: ({ engine }) => engine.inboxBatches,
  },
  {
    ...{ name: 'engine_inbox_waiting_messages', type: 'gauge', labels: [] },
    help: 'Messages that reached this node and wait for a turn of its event loop, in which 128 are handed over. Lasting high values: the node does not keep up.',
    read: ({ engine }) => engine.inboxWaitingMessages,
  },
  {
    ...{ name: 'engine_inbox_reads_put_off_total', type: 'counter', labels: [] },
    help: 'Times that this node left what came for it in Redis, because more than 1,024 messages or 1 MiB waited here. Growth in a burst is usual; a lasting growth: the node does not keep up.',
    read: ({ engine }) => engine.inboxReadsPutOff,
  },
  {
    ...{ name: 'engine_gap_repairs_total', type: 'counter', labels: ['result'] },
    help: 'Gaps found in what reached this node, by result. Repaired ones cost nothing; the others sent clients to resume.',
    read: ({ engine }) => engine.gapRepairs,
  },
  {
    ...{ name: 'presence_rows_reaped_total', type: 'counter', labels: [] },
    help: 'Presence rows of dead nodes taken away. Grows when a node ended without its shutdown.',
    read: ({ engine }) => engine.presenceRowsReaped,
  },
  {
    ...{ name: 'engine_unknown_messages_total', type: 'counter', labels: [] },
    help: 'Messages between nodes that this release does not know. Grows during a roll-out; a lasting growth: an old node was left behind.',
    read: ({ engine }) => engine.unknownMessages,
  },
  {
    ...{ name: 'redis_eviction_policy', type: 'gauge', labels: ['policy'], aggregator: 'max' },
    help: 'What Redis does when its memory is full: 1 for the policy in force. Any other than noeviction throws keys away.',
    read: ({ engine }) => engine.evictionPolicies,
  },
];

const httpAndSystemMetrics: readonly MetricDefinition[] = [
  {
    ...{ name: 'http_requests_total', type: 'counter', labels: ['method', 'path'] },
    help: 'HTTP requests by method and route.',
    read: ({ http }) => http.requests,
  },
  {
    ...{ name: 'http_response_status_code_total', type: 'counter', labels: ['code'] },
    help: 'HTTP answers by status. Growth of 5xx: see readiness and the log.',
    read: ({ http }) => http.statusCodes,
  },
  {
    ...{ name: 'http_request_duration_seconds', type: 'histogram', labels: ['path'] },
    help: 'Time to answer an HTTP request, by route.',
    read: ({ http }) => http.durations,
  },
  {
    ...{ name: 'system_cpu_usage', type: 'gauge', labels: [] },
    help: 'Cores in use since the scrape before: 1 is one core busy, and the event loop has no more than one.',
    read: ({ system }) => system.cpuUsage(),
  },
  {
    ...{ name: 'system_memory_usage_bytes', type: 'gauge', labels: [] },
    help: 'Resident memory. Growing while connections do not: a leak.',
    read: ({ system }) => system.memoryBytes(),
  },
  {
    ...{ name: 'system_gc_duration_seconds', type: 'histogram', labels: [] },
    help: 'Garbage collections. Many above 50 ms: the heap is too large or nearly full.',
    read: ({ system }) => system.gcSeconds,
  },
  {
    ...{ name: 'system_gc_count_total', type: 'counter', labels: [] },
    help: 'Number of garbage collections.',
    read: ({ system }) => system.gcSeconds.count,
  },
  {
    ...{ name: 'system_goroutine_count', type: 'gauge', labels: [] },
    help: 'Active handles and requests of the process (an old name, kept for dashboards). Ever growing: something is not closed.',
    read: ({ system }) => system.activeHandles(),
  },
  {
    ...{ name: 'event_loop_lag_seconds', type: 'histogram', labels: [] },
    help: 'How late the event loop is. Above 0.1 for long: everything this process serves waits that long.',
    read: ({ system }) => system.eventLoopLag(),
  },
  {
    ...{ name: 'ready', type: 'gauge', labels: ['part'], aggregator: 'min' },
    help: 'What /ready looks at: 1, or 0 for a part that keeps the node from being ready: kafka, redis, or draining while it drains.',
    read: ({ readiness }) => new Map(Object.entries(readiness()).map(([part, well]) => [part, well ? 1 : 0])),
  },
  {
    ...{ name: 'loki_lines_total', type: 'counter', labels: ['result'] },
    help: 'Log lines for Loki by result: pushed, or dropped because it was away too long or refused them. Dropped ones are on standard output only.',
    read: ({ loki }) =>
      new Map([
        ['pushed', loki?.pushed ?? 0],
        ['dropped', loki?.dropped ?? 0],
      ]),
  },
  {
    ...{ name: 'spans_total', type: 'counter', labels: ['result'] },
    help: 'Spans by result: sent, or dropped because the receiver of tracing.otlpUrl was away, refused them or was too slow.',
    read: ({ spans }) =>
      new Map([
        ['sent', spans?.sent ?? 0],
        ['dropped', spans?.dropped ?? 0],
      ]),
  },
  {
    ...{ name: 'build_info', type: 'gauge', labels: ['version', 'node', 'role'], aggregator: 'first' },
    help: 'Always 1; the labels say what runs.',
    read: ({ info: { version = '', node = '', role = '' } }) =>
      new Map([[version, new Map([[node, new Map([[role, 1]])]])]]),
  },
];

/** The supervisor counts it; a single process is never started again by itself. */
export const workerRestarts: MetricDefinition = {
  ...{ name: 'worker_restarts_total', type: 'counter', labels: [] },
  help: 'Workers (`server.workers`) that were started again because they ended. Growth: the log says why they end.',
  read: () => 0,
};

const groupMetrics: readonly MetricDefinition[] = [
  {
    ...{ name: 'workers', type: 'gauge', labels: [] },
    help: 'Gateway processes that answer together on this port. Fewer than `server.workers` for long: one does not come up.',
    read: () => 1,
  },
  workerRestarts,
];

export const metricDefinitions: readonly MetricDefinition[] = [
  ...websocketMetrics,
  ...kafkaMetrics,
  ...engineMetrics,
  ...backendMetrics,
  ...httpAndSystemMetrics,
  ...processMetrics,
  ...groupMetrics,
];

/** Adds two counters under the same labels. */
function sum(one: LabelCounter, other: LabelCounter): ReadonlyMap<string, number> {
  const both = new Map(one.values);
  for (const [label, value] of other.values) both.set(label, (both.get(label) ?? 0) + value);
  return both;
}

function troublesByTopic(troubles: RouterStats['topicTroubles']): Map<string, Map<string, number>> {
  const topics = new Map<string, Map<string, number>>();
  for (const { topic, reason } of troubles) {
    const reasons = topics.get(topic) ?? new Map<string, number>();
    topics.set(topic, reasons.set(reason, 1));
  }
  return topics;
}

function missingIn(troubles: RouterStats['topicTroubles']): Map<string, number> {
  return new Map(troubles.filter(({ reason }) => reason === 'missing').map(({ topic }) => [topic, 1]));
}
