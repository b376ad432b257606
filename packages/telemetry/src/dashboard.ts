import { metricDefinitions } from './metrics.js';

/** One line of a panel: the question to Prometheus, and the name of the line. */
type Query = readonly [expression: string, legend: string];

interface Panel {
  readonly title: string;
  /** Unit by its name in Grafana. */
  readonly unit: string;
  readonly queries: readonly Query[];
  /** Kind of panel; default `timeseries`. */
  readonly type?: 'stat' | 'table' | 'timeseries';
  /** What it means; default: the help of the first series. */
  readonly help?: string;
  /** Values from which it is yellow and red; with `below` those under which it is. Without them it is never coloured. */
  readonly limits?: { readonly yellow: number; readonly red: number; readonly below?: true };
}

const SELECTED = 'namespace=~"$namespace",pod=~"$pod"';

/** Selects `name{…}` of the chosen nodes. */
const of = (name: string, matchers = ''): string =>
  `ws_gateway_${name}{${SELECTED}${matchers === '' ? '' : `,${matchers}`}}`;
const sum = (name: string, by = ''): string => `sum${by === '' ? '' : ` by (${by})`} (${of(name)})`;
const rate = (name: string, by = ''): string =>
  `sum${by === '' ? '' : ` by (${by})`} (rate(${of(name)}[$__rate_interval]))`;
const quantile = (share: number, name: string, by = ''): string =>
  `histogram_quantile(${share}, sum by (${by === '' ? 'le' : `${by}, le`}) (rate(${of(`${name}_bucket`)}[$__rate_interval])))`;
const medianAndTail = (name: string, by = ''): Query[] => {
  const legend = by === '' ? '' : `{{${by}}} `;
  return [
    [quantile(0.5, name, by), `${legend}p50`],
    [quantile(0.99, name, by), `${legend}p99`],
  ];
};

/** Series without our prefix belong to any program, so only those of pods that are gateways. */
const ofProcess = (name: string): string =>
  `max by (pod) (${name}{${SELECTED}} and on (namespace, pod) ${of('build_info')})`;

/** Refusals that a client can do nothing about. */
const OUR_REFUSALS = 'code=~"unavailable|full|draining"';
const accepted = (window: string): string => {
  const all = (name: string, matchers = ''): string => `sum(rate(${of(name, matchers)}[${window}]))`;
  const opened = all('websocket_connections_total');
  return `${opened} / (${opened} + ${all('websocket_refusals_total', OUR_REFUSALS)})`;
};
const younger = (window: string): string =>
  `sum(rate(${of('message_age_seconds_bucket', 'le="0.1"')}[${window}])) / sum(rate(${of('message_age_seconds_count')}[${window}]))`;
const ACCEPTED =
  'Share of the handshakes that were accepted, of those that were and those refused because the service could not take them (unavailable, full, draining). Refused tokens are not in it.';
const YOUNGER = 'Share of the messages that were handed to their sockets within 100 ms of their time in Kafka.';

const rows: Readonly<Record<string, readonly Panel[]>> = {
  'At a glance': [
    { title: 'Sockets', type: 'stat', unit: 'short', queries: [[sum('websocket_active_connections'), 'sockets']] },
    { title: 'Deliveries/s', type: 'stat', unit: 'ops', queries: [[rate('websocket_messages_sent_total'), 'frames']] },
    {
      ...{ title: 'Age p99', type: 'stat', unit: 's', limits: { yellow: 0.1, red: 1 } },
      queries: [[quantile(0.99, 'message_age_seconds'), 'p99']],
    },
    {
      ...{ title: 'Lag', type: 'stat', unit: 'short', limits: { yellow: 1_000, red: 10_000 } },
      queries: [[sum('kafka_consumer_lag'), 'records']],
    },
    {
      ...{ title: 'Dead letters, 1 h', type: 'stat', unit: 'short', limits: { yellow: 1, red: 100 } },
      queries: [[`sum(increase(${of('kafka_dead_letters_total')}[1h]))`, 'records']],
    },
    {
      ...{ title: 'Nodes not ready', type: 'stat', unit: 'short', limits: { yellow: 1, red: 2 } },
      queries: [[`count(min by (pod) (${of('ready')}) == 0) or vector(0)`, 'nodes']],
    },
  ],
  'Service levels': [
    {
      ...{ title: 'Handshakes accepted, time shown', type: 'stat', unit: 'percentunit', help: ACCEPTED },
      ...{ queries: [[accepted('$__range'), 'accepted']], limits: { yellow: 0.999, red: 0.99, below: true } },
    },
    {
      ...{ title: 'Younger than 100 ms, time shown', type: 'stat', unit: 'percentunit', help: YOUNGER },
      ...{ queries: [[younger('$__range'), 'younger']], limits: { yellow: 0.99, red: 0.95, below: true } },
    },
    {
      ...{ title: 'Handshakes accepted', unit: 'percentunit', help: ACCEPTED },
      ...{ queries: [[accepted('$__rate_interval'), 'accepted']], limits: { yellow: 0.999, red: 0.99, below: true } },
    },
    {
      ...{ title: 'Messages younger than 100 ms', unit: 'percentunit', help: YOUNGER },
      ...{ queries: [[younger('$__rate_interval'), 'younger']], limits: { yellow: 0.99, red: 0.95, below: true } },
    },
    { title: 'Refused by code', unit: 'ops', queries: [[rate('websocket_refusals_total', 'code'), '{{code}}']] },
  ],
  Connections: [
    { title: 'Sockets by node', unit: 'short', queries: [[sum('websocket_active_connections', 'pod'), '{{pod}}']] },
    {
      ...{ title: 'Handshakes and ends', unit: 'ops' },
      queries: [
        [rate('websocket_connections_total'), 'handshakes'],
        [rate('websocket_unexpected_close_total'), 'broken off'],
      ],
    },
    { title: 'Closes by code', unit: 'ops', queries: [[rate('websocket_closes_total', 'code'), '{{code}}']] },
    {
      ...{ title: 'Refused for token or block', unit: 'ops' },
      queries: [
        [rate('websocket_auth_errors_total'), 'token'],
        [rate('blocks_enforced_total'), 'blocked'],
      ],
    },
    { title: 'Resumes by result', unit: 'ops', queries: [[rate('resumes_total', 'result'), '{{result}}']] },
    { title: 'Drain remaining', unit: 'short', queries: [[sum('drain_remaining_connections', 'pod'), '{{pod}}']] },
  ],
  Delivery: [
    {
      title: 'Deliveries/s by type',
      unit: 'ops',
      queries: [[rate('websocket_messages_sent_total', 'type'), '{{type}}']],
    },
    { title: 'Message age by topic', unit: 's', queries: medianAndTail('message_age_seconds', 'topic') },
    { title: 'Latency in the node', unit: 's', queries: medianAndTail('websocket_message_latency_seconds') },
    {
      ...{ title: 'Bytes', unit: 'Bps' },
      queries: [
        [rate('websocket_bytes_sent_total'), 'sent'],
        [rate('websocket_bytes_received_total'), 'received'],
      ],
    },
    {
      ...{ title: 'Slow clients by policy', unit: 'ops' },
      queries: [[rate('slow_consumer_actions_total', 'policy'), '{{policy}}']],
    },
    {
      ...{ title: 'Frames that wait, queues overflowed', unit: 'short' },
      queries: [
        [sum('websocket_message_buffer_size', 'pod'), 'waiting {{pod}}'],
        [rate('websocket_message_buffer_overflow_total'), 'overflows/s'],
      ],
    },
  ],
  Kafka: [
    {
      title: 'Records/s by topic',
      unit: 'ops',
      queries: [[rate('kafka_messages_processed_total', 'topic'), '{{topic}}']],
    },
    {
      ...{ title: 'Lag by topic and partition', unit: 'short' },
      queries: [[sum('kafka_consumer_lag', 'topic, partition'), '{{topic}}/{{partition}}']],
    },
    {
      ...{ title: 'Dead letters by reason', unit: 'ops' },
      queries: [[rate('kafka_dead_letters_total', 'topic, reason'), '{{topic}} {{reason}}']],
    },
    { title: 'Expired by topic', unit: 'ops', queries: [[rate('messages_expired_total', 'topic'), '{{topic}}']] },
    { title: 'Where messages went', unit: 'ops', queries: [[rate('messages_routed_total', 'result'), '{{result}}']] },
    { title: 'Errors of the Kafka client', unit: 'ops', queries: [[rate('kafka_errors_total', 'code'), '{{code}}']] },
  ],
  Redis: [
    { title: 'Time of a call', unit: 's', queries: medianAndTail('redis_operation_latency_seconds') },
    {
      title: 'Failed calls by kind',
      unit: 'ops',
      queries: [[rate('redis_operation_errors_total', 'type'), '{{type}}']],
    },
    { title: 'Engine gap repairs', unit: 'ops', queries: [[rate('engine_gap_repairs_total', 'result'), '{{result}}']] },
    { title: 'Presence rows reaped', unit: 'ops', queries: [[rate('presence_rows_reaped_total'), 'rows']] },
    {
      ...{ title: 'Batches and presence rows', unit: 'ops' },
      queries: [
        [rate('redis_message_publications_total'), 'batches'],
        [rate('redis_client_registrations_total'), 'registered'],
        [rate('redis_client_unregistrations_total'), 'unregistered'],
      ],
    },
  ],
  Backends: [
    {
      ...{ title: 'Calls by commands', unit: 'short' },
      queries: [
        [sum('backend_requests_in_flight'), 'under way'],
        [sum('backend_requests_queued'), 'waiting'],
      ],
    },
    { title: 'Links open', unit: 'short', queries: [[sum('backend_link_up', 'backend'), '{{backend}}']] },
    {
      ...{ title: 'Events that wait for a link', unit: 'short' },
      queries: [[sum('backend_link_waiting_events', 'backend'), '{{backend}}']],
    },
  ],
  Process: [
    {
      ...{ title: 'Event loop lag p99', unit: 's', limits: { yellow: 0.05, red: 0.2 } },
      queries: [[quantile(0.99, 'event_loop_lag_seconds', 'pod'), '{{pod}}']],
    },
    { title: 'Cores in use', unit: 'short', queries: [[sum('system_cpu_usage', 'pod'), '{{pod}}']] },
    {
      ...{ title: 'Memory, and its limit', unit: 'bytes' },
      queries: [
        [sum('system_memory_usage_bytes', 'pod'), '{{pod}}'],
        [sum('memory_limit_bytes', 'pod'), 'limit {{pod}}'],
      ],
    },
    {
      ...{
        title: 'File descriptors, and their limit',
        unit: 'short',
        help: 'Each socket is one. At the limit nobody can connect.',
      },
      queries: [
        [ofProcess('process_open_fds'), '{{pod}}'],
        [ofProcess('process_max_fds'), 'limit {{pod}}'],
      ],
    },
    {
      ...{ title: 'Share of time in garbage collection', unit: 'percentunit' },
      queries: [[rate('system_gc_duration_seconds_sum', 'pod'), '{{pod}}']],
    },
    { title: 'Log lines for Loki', unit: 'ops', queries: [[rate('loki_lines_total', 'result'), '{{result}}']] },
    {
      ...{ title: 'What runs', type: 'table', unit: 'short' },
      queries: [[`count by (pod, version, node, role) (${of('build_info')})`, '']],
    },
  ],
};

/** Makes kubernetes/monitoring/grafana-dashboard.yaml: a ConfigMap that Grafana's sidecar finds. */
export function dashboardManifest(): string {
  const json = JSON.stringify(dashboard(), null, 2);
  return `${HEAD}${json.replace(/^/gm, '    ')}\n`;
}

const HEAD = `# Generated from packages/telemetry/src/dashboard.ts; do not edit by hand. Grafana's sidecar (in its Helm chart
# \`sidecar.dashboards.enabled\`) loads every ConfigMap with this label. Without it, import what this command prints:
#   sed -n 's/^    //p' kubernetes/monitoring/grafana-dashboard.yaml
apiVersion: v1
kind: ConfigMap
metadata:
  name: ws-gateway-dashboard
  labels: { app.kubernetes.io/name: ws-gateway, grafana_dashboard: '1' }
data:
  ws-gateway.json: |
`;

const DATASOURCE = { type: 'prometheus', uid: '${datasource}' } as const;
const COLUMNS = 24;
const HEIGHT = { stat: 4, table: 8, timeseries: 8 } as const;

function dashboard(): object {
  return {
    uid: 'ws-gateway',
    title: 'ws-gateway',
    tags: ['ws-gateway'],
    schemaVersion: 39,
    editable: true,
    refresh: '30s',
    // One crosshair for all panels.
    graphTooltip: 1,
    annotations: { list: annotations() },
    time: { from: 'now-1h', to: 'now' },
    templating: {
      list: [
        { name: 'datasource', type: 'datasource', query: 'prometheus', label: 'Prometheus' },
        variable('namespace', 'Namespace', 'label_values(ws_gateway_build_info, namespace)'),
        variable('pod', 'Node', 'label_values(ws_gateway_build_info{namespace=~"$namespace"}, pod)'),
      ],
    },
    panels: panels(),
  };
}

/** What happened, as lines and stripes in all panels. */
function annotations(): object[] {
  const all = { datasource: DATASOURCE, enable: true, step: '30s' };
  const start = `process_start_time_seconds{${SELECTED}} and on (namespace, pod) ${of('build_info')}`;
  return [
    {
      ...{ ...all, name: 'Starts', iconColor: 'blue', titleFormat: '{{pod}} started' },
      ...{ expr: `max by (pod) (${start}) * 1000`, useValueForTime: 'on' },
    },
    {
      ...{ ...all, name: 'Drains', iconColor: 'yellow', titleFormat: '{{pod}} drains' },
      expr: `${sum('drain_remaining_connections', 'pod')} > 0`,
    },
    {
      ...{ ...all, name: 'Alerts', iconColor: 'red', titleFormat: '{{alertname}} {{pod}}' },
      expr: 'max by (alertname, pod) (ALERTS{alertname=~"WsGateway.*",alertstate="firing",namespace=~"$namespace"})',
    },
  ];
}

/**
 * Makes a variable. Its choice "All" is `.*`, which also fits series without the label: those of a gateway outside
 * Kubernetes.
 */
function variable(name: string, label: string, query: string): object {
  const all = { text: 'All', value: '$__all', selected: true };
  const choice = { includeAll: true, allValue: '.*', multi: true, current: all };
  return { name, label, type: 'query', datasource: DATASOURCE, query, refresh: 2, sort: 1, ...choice };
}

function panels(): object[] {
  const placed: object[] = [];
  let y = 0;
  for (const [title, list] of Object.entries(rows)) {
    placed.push({ id: placed.length + 1, type: 'row', title, gridPos: { x: 0, y: y++, w: COLUMNS, h: 1 } });
    let x = 0;
    for (const panel of list) {
      const [w, h] = [panel.type === 'stat' ? COLUMNS / list.length : COLUMNS / 3, HEIGHT[panel.type ?? 'timeseries']];
      placed.push({ id: placed.length + 1, ...shown(panel), gridPos: { x, y, w, h } });
      x += w;
      if (x >= COLUMNS) [x, y] = [0, y + h];
    }
  }
  return placed;
}

function shown({ title, unit, queries, type = 'timeseries', help, limits }: Panel): object {
  const table = type === 'table' ? { format: 'table', instant: true } : {};
  return {
    ...{ type, title, description: help ?? helpOf(queries[0]?.[0] ?? ''), datasource: DATASOURCE },
    targets: queries.map(([expr, legendFormat], index) => ({
      ...{ refId: String.fromCodePoint(0x41 + index), datasource: DATASOURCE, expr, legendFormat, ...table },
    })),
    fieldConfig: {
      defaults: {
        ...{ unit, min: 0, thresholds: thresholds(limits) },
        ...(type === 'timeseries' && limits ? { custom: { thresholdsStyle: { mode: 'line' } } } : {}),
      },
      overrides: [],
    },
    options: type === 'timeseries' ? { legend: { displayMode: 'list' }, tooltip: { mode: 'multi', sort: 'desc' } } : {},
  };
}

/** Grafana's own are red from 80 on, whatever the panel shows. */
function thresholds(limits: Panel['limits']): object {
  const steps = (...colours: [string, number | null][]) => colours.map(([color, value]) => ({ color, value }));
  if (limits === undefined) return { mode: 'absolute', steps: steps(['green', null]) };
  const { yellow, red, below } = limits;
  return {
    mode: 'absolute',
    steps: below
      ? steps(['red', null], ['yellow', red], ['green', yellow])
      : steps(['green', null], ['yellow', yellow], ['red', red]),
  };
}

/** Finds what the series means, in the words of docs/metrics.md. */
function helpOf(expression: string): string {
  const series = /ws_gateway_(\w+)/.exec(expression)?.[1] ?? '';
  const found = metricDefinitions.find(
    ({ name }) => series === name || series.replace(/_(bucket|sum|count)$/, '') === name,
  );
  if (found === undefined) throw new Error(`no metric ${series}`);
  return found.help;
}
