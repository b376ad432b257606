import { promisedMetrics, parseExposition, waitFor } from '@ws-gateway/testkit';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { GatewayCluster, record } from './gateway-cluster.js';
import { manifestsOf } from './deployment/kubernetes-manifests.js';
import { namedIn } from './deployment/promql.js';
import { ScrapedSeries } from './deployment/scraped-series.js';

/** The parts of a Grafana dashboard that the tests look at. */
interface Dashboard {
  readonly graphTooltip: number;
  readonly annotations: { readonly list: readonly { readonly name: string; readonly expr: string }[] };
  readonly templating: { readonly list: readonly { readonly name: string; readonly query: string }[] };
  readonly panels: readonly {
    readonly title: string;
    readonly type: string;
    readonly fieldConfig?: { readonly defaults: { readonly thresholds: { readonly steps: readonly object[] } } };
    readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
  }[];
}

const monitoring = manifestsOf('monitoring');
const dashboard = JSON.parse(
  monitoring.find(({ kind }) => kind === 'ConfigMap')!.data!['ws-gateway.json']!,
) as Dashboard;
const queries = dashboard.panels.flatMap(({ title, targets = [] }) =>
  targets.map(({ expr, legendFormat }) => ({ title, expr, legendFormat })),
);
const rules = monitoring.flatMap(({ spec }) => spec?.groups?.flatMap(({ rules: list }) => list) ?? []);

let cluster: GatewayCluster;
let text = '';
let scraped: ScrapedSeries;

beforeAll(async () => {
  const backends = { ws: [{ name: 'bot', url: 'ws://127.0.0.1:1', path: '/bot' }] };
  cluster = await GatewayCluster.open({ nodes: [{ config: { metrics: { perUser: true }, backends } }] });
  const client = await cluster.connect(0, 'u1', 'notifications');
  client.send({ rid: 1, command: 'ping' });
  await client.next('ping');
  await cluster.produce('notifications', record('u1', { title: 'hello' }));
  await client.next('notifications');
  // Lag is asked for now and then, and a rate needs two scrapes; everything else is there at once.
  text = await waitFor(
    async () => {
      const body = await (await fetch(`${cluster.nodes[0]!.httpUrl}/metrics`)).text();
      return ['kafka_consumer_lag', 'kafka_processing_rate'].every((name) => body.includes(`\nws_gateway_${name}{`))
        ? body
        : null;
    },
    { what: 'a scrape with lag and rate' },
  );
  scraped = new ScrapedSeries(text);
  await client.close();
});

afterAll(() => cluster?.close());

describe('GET /metrics of a running gateway', () => {
  test('has each name that dashboards rely on, of its type and with its labels', () => {
    const families = parseExposition(text);
    for (const { name, type, labels } of promisedMetrics) {
      const family = families.get(`ws_gateway_${name}`);
      const { le: _le, ...shown } = family?.samples[0]?.labels ?? {};
      expect([name, family?.type, family?.samples.length, Object.keys(shown)]).toEqual([
        ...[name, type, expect.any(Number), [...labels]],
      ]);
      expect(family!.samples.length).toBeGreaterThan(0);
    }
    expect(scraped.labelsOf('ws_gateway_business_messages_by_user_total')).toEqual(['user']);
  });

  test('counts dead letters, repairs and the like from 0, so that an alert sees the first one', () => {
    expect(text).toContain('\nws_gateway_kafka_dead_letters_total{topic="notifications",reason="not_json"} 0\n');
    expect(text).toContain('\nws_gateway_messages_expired_total{topic="notifications"} 0\n');
  });

  test('answers the queries that dashboards of go-ws-gateway make', () => {
    const inherited = promisedMetrics.filter(({ name }) => /^(websocket|kafka|redis|http|system|business)_/.test(name));
    expect(inherited.length).toBeGreaterThan(25);
    for (const { name, type, labels } of inherited) {
      const series = `ws_gateway_${name}`;
      const by = labels.length === 0 ? '' : ` by (${labels.join(', ')})`;
      const query =
        type === 'histogram'
          ? `histogram_quantile(0.95, sum by (${['le', ...labels].join(', ')}) (rate(${series}_bucket[5m])))`
          : `sum${by} (${type === 'counter' ? `rate(${series}[5m])` : series})`;
      expect([query, scraped.problems(query)]).toEqual([query, []]);
    }
  });
});

describe('the Grafana dashboard', () => {
  test('shows starts, drains and alerts in all panels, under one crosshair', () => {
    expect(dashboard.graphTooltip).toBe(1);
    expect(dashboard.annotations.list.map(({ name }) => name)).toEqual(['Starts', 'Drains', 'Alerts']);
    const ours = dashboard.annotations.list.filter(({ expr }) => !expr.includes('ALERTS{'));
    for (const { name, expr } of ours) expect([name, scraped.problems(expr)]).toEqual([name, []]);
  });

  test('colours nothing by limits that nobody set', () => {
    for (const { title, type, fieldConfig } of dashboard.panels) {
      if (type === 'row') continue;
      expect([title, fieldConfig!.defaults.thresholds.steps[0]]).toEqual([
        title,
        expect.objectContaining({ value: null }),
      ]);
    }
    const coloured = dashboard.panels.filter(({ fieldConfig }) => fieldConfig?.defaults.thresholds.steps.length === 3);
    expect(coloured.map(({ title }) => title)).toEqual(
      expect.arrayContaining(['Nodes not ready', 'Handshakes accepted', 'Messages younger than 100 ms']),
    );
  });

  test.each(queries.map((query) => [query.title, query] as const))('%s reads what there is', (_title, query) => {
    expect(scraped.problems(query.expr)).toEqual([]);
    const grouped = namedIn(query.expr).groupings;
    for (const [, label] of query.legendFormat.matchAll(/\{\{(\w+)\}\}/g)) expect(grouped).toContain(label);
  });

  test('chooses by labels that there are, and every query heeds the choice', () => {
    for (const { name, query } of dashboard.templating.list) {
      if (name === 'datasource') continue;
      const [, selector = '', label] = /^label_values\((.+), (\w+)\)$/.exec(query) ?? [];
      expect([query, scraped.problems(`sum by (${label}) (${selector})`)]).toEqual([query, []]);
    }
    for (const { expr } of queries) {
      for (const { matchers } of namedIn(expr).selectors) {
        expect(matchers.map(({ label, value }) => `${label} ${value}`)).toEqual(
          expect.arrayContaining(['namespace $namespace', 'pod $pod']),
        );
      }
    }
  });
});

describe('alerts', () => {
  test.each(rules.map((rule) => [rule.alert, rule] as const))('%s reads what there is', (_alert, rule) => {
    expect(scraped.problems(rule.expr)).toEqual([]);
    const grouped = namedIn(rule.expr).groupings;
    const { summary, description } = rule.annotations;
    for (const [, label] of `${summary} ${description}`.matchAll(/\$labels\.(\w+)/g)) expect(grouped).toContain(label);
  });
});

describe('the check itself', () => {
  test.each([
    ['sum(ws_gateway_websocket_connection)', ['no series ws_gateway_websocket_connection']],
    ['rate(ws_gateway_message_age_seconds[5m])', ['no series ws_gateway_message_age_seconds']],
    ['sum by (partition, user) (ws_gateway_kafka_consumer_lag)', ['no label user']],
    ['ws_gateway_ready{zone="a"}', ['no label zone of ws_gateway_ready']],
    ['ws_gateway_resumes_total{result="failed"}', ['no ws_gateway_resumes_total with result="failed"']],
    ['ws_gateway_ready{part=~"kafk"} == 0', ['no ws_gateway_ready with part="kafk"']],
    ['absent(ws_gateway_ready{part=~"kafka|redis"}) or vector(0)', []],
  ])('%s', (expression, problems) => {
    expect(scraped.problems(expression)).toEqual(problems);
  });
});
