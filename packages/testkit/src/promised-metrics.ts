/** Metrics that dashboards of the gateway, and of the systems it replaces, rely on: by name, with labels and type. */
const promised: Readonly<Record<string, string>> = {
  ...{ websocket_active_connections: 'gauge', websocket_connections_total: 'counter' },
  ...{ websocket_connection_duration_seconds: 'histogram', websocket_unexpected_close_total: 'counter' },
  ...{ websocket_auth_errors_total: 'counter', 'websocket_messages_sent_total{type}': 'counter' },
  ...{ 'websocket_messages_received_total{type}': 'counter', websocket_bytes_sent_total: 'counter' },
  ...{ websocket_bytes_received_total: 'counter', websocket_message_latency_seconds: 'histogram' },
  ...{ websocket_message_buffer_size: 'gauge', websocket_message_buffer_overflow_total: 'counter' },
  ...{ 'kafka_messages_processed_total{topic}': 'counter', 'kafka_processing_rate{topic}': 'gauge' },
  ...{ 'kafka_consumer_lag{topic,partition}': 'gauge', kafka_deserialize_errors_total: 'counter' },
  ...{ 'kafka_errors_total{code}': 'counter', redis_client_registrations_total: 'counter' },
  ...{ redis_client_unregistrations_total: 'counter', redis_message_publications_total: 'counter' },
  ...{ redis_operation_latency_seconds: 'histogram', 'redis_operation_errors_total{type}': 'counter' },
  ...{ 'http_requests_total{method,path}': 'counter', 'http_response_status_code_total{code}': 'counter' },
  ...{ 'http_request_duration_seconds{path}': 'histogram', system_cpu_usage: 'gauge' },
  ...{ system_memory_usage_bytes: 'gauge', system_gc_duration_seconds: 'histogram', system_gc_count_total: 'counter' },
  ...{ system_goroutine_count: 'gauge', 'business_messages_by_type_total{type}': 'counter' },
  ...{ 'message_age_seconds{topic}': 'histogram', 'kafka_dead_letters_total{topic,reason}': 'counter' },
  ...{ 'messages_expired_total{topic}': 'counter', 'resumes_total{result}': 'counter' },
  ...{ 'slow_consumer_actions_total{policy}': 'counter', drain_remaining_connections: 'gauge' },
  ...{ event_loop_lag_seconds: 'histogram', 'engine_gap_repairs_total{result}': 'counter' },
  ...{ blocks_enforced_total: 'counter', presence_rows_reaped_total: 'counter' },
  ...{ 'websocket_closes_total{code}': 'counter' },
};

export interface PromisedMetric {
  /** Name without the namespace. */
  readonly name: string;
  readonly type: string;
  readonly labels: readonly string[];
}

/** All of them. With `metrics.perUser` there is also business_messages_by_user_total{user}. */
export const promisedMetrics: readonly PromisedMetric[] = Object.entries(promised).map(([entry, type]) => {
  const [, name = '', labels] = /^(\w+)(?:\{(.+)\})?$/.exec(entry) ?? [];
  return { name, type, labels: labels?.split(',') ?? [] };
});
