import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { EdgeStats, EngineStats, Histogram, LabelCounter, RouterStats } from '@ws-gateway/core';
import { afterEach, describe, expect, it } from '@jest/globals';
import { promisedMetrics, parseExposition } from '@ws-gateway/testkit';
import {
  createMetrics,
  dashboardManifest,
  GroupMetrics,
  metricsDocs,
  type Metrics,
  type MetricsSnapshot,
} from '../src/index.js';

let metrics: Metrics | undefined;
afterEach(() => metrics?.stop());

function setUp({ redis = true, ...options }: { redis?: boolean; perUser?: boolean; clock?: () => number } = {}) {
  const stats = { edge: new EdgeStats(), router: new RouterStats(), engine: new EngineStats() };
  const info = { version: '1.0.0', node: 'n1', role: 'all' };
  metrics = createMetrics(
    { namespace: 'ws_gateway', perUser: false, ...options },
    { ...stats, readiness: () => ({ kafka: true, redis }), info },
  );
  return { ...stats, metrics };
}

async function scrape(from: Metrics) {
  return parseExposition((await from.render()).body);
}

async function mergedValues(group: GroupMetrics, snapshots: MetricsSnapshot[]) {
  // The snapshot goes through structuredClone, as one that arrives from another process does.
  const families = parseExposition((await group.render(structuredClone(snapshots))).body);
  return (name: string) => families.get(`ws_gateway_${name}`)?.samples.map(({ value }) => value);
}

/** Gives every labelled series at least one value. */
function fill({ edge, router, engine, metrics: filled }: ReturnType<typeof setUp>): void {
  edge.activeConnections = 3;
  edge.authErrors.add('token_expired', 2);
  edge.authErrors.add('token_missing');
  for (const counter of [edge.closes, edge.messagesSent, edge.messagesReceived, edge.slowConsumerActions, edge.resumes])
    counter.add('x', 2);
  edge.messageAge.set('notifications', new Histogram([0.1, 1]));
  for (const value of [0.05, 0.1, 0.5, 7]) edge.messageAge.get('notifications')?.observe(value);
  for (const counter of [router.messagesProcessed, router.expired, router.kafkaErrors, router.messagesByType])
    counter.add('notifications', 5);
  router.messagesByUser.add('u1');
  router.deadLetters.set('notifications', new LabelCounter());
  router.deadLetters.get('notifications')?.add('not_json', 4);
  router.lag.set(
    'notifications',
    new Map([
      [0, 10],
      [1, 0],
    ]),
  );
  for (const counter of [engine.operationErrors, engine.gapRepairs]) counter.add('x');
  engine.operationSeconds.observe(0.002);
  filled.observeRequest('GET', '/health', 200, 0.001);
}

describe('the metrics', () => {
  it('have every name, type and label that dashboards rely on from the start', async () => {
    const world = setUp();
    const empty = await scrape(world.metrics);
    for (const { name, type, labels } of promisedMetrics) {
      const family = empty.get(`ws_gateway_${name}`);
      expect([name, family?.type]).toEqual([name, type]);
      if (labels.length === 0) expect([name, family?.samples.length]).not.toEqual([name, 0]);
    }
    fill(world);
    const filled = await scrape(world.metrics);
    for (const { name, type, labels } of promisedMetrics) {
      const { le, ...shown } = filled.get(`ws_gateway_${name}`)?.samples[0]?.labels ?? {};
      expect([name, Object.keys(shown)]).toEqual([name, labels]);
      expect(le === undefined).toBe(type !== 'histogram');
    }
  });

  it('show growth from the first event on, because what can be known beforehand starts at 0', async () => {
    const { metrics: fresh } = setUp({ redis: false });
    const families = await scrape(fresh);
    const at = (name: string) =>
      Object.fromEntries(
        families.get(`ws_gateway_${name}`)!.samples.map(({ labels, value }) => [Object.values(labels)[0], value]),
      );
    expect(at('engine_gap_repairs_total')).toEqual({ repaired: 0, lost: 0 });
    expect(at('slow_consumer_actions_total')).toEqual({ queue: 0, conflate: 0, 'drop-oldest': 0 });
    expect(at('websocket_closes_total')).toMatchObject({ 1006: 0, 4001: 0, 4500: 0 });
    expect(at('redis_operation_errors_total')).toMatchObject({ unavailable: 0 });
    expect(at('ready')).toEqual({ kafka: 1, redis: 0 });
  });

  it('are served as Prometheus text with a help for each', async () => {
    const world = setUp();
    const { contentType } = await world.metrics.render();
    expect(contentType).toBe('text/plain; version=0.0.4; charset=utf-8');
    for (const { help } of (await scrape(world.metrics)).values()) expect(help).toMatch(/^.{10,}\.$/);
  });

  it('say what the stats say at the moment of the scrape', async () => {
    const world = setUp();
    fill(world);
    const values = async (name: string) =>
      (await scrape(world.metrics)).get(`ws_gateway_${name}`)?.samples.map(({ labels, value }) => [labels, value]);
    expect(await values('websocket_active_connections')).toEqual([[{}, 3]]);
    world.edge.activeConnections = 1;
    expect(await values('websocket_active_connections')).toEqual([[{}, 1]]);
    expect(await values('websocket_auth_errors_total')).toEqual([[{}, 3]]);
    expect(await values('kafka_consumer_lag')).toEqual([
      [{ topic: 'notifications', partition: '0' }, 10],
      [{ topic: 'notifications', partition: '1' }, 0],
    ]);
    expect(await values('kafka_dead_letters_total')).toEqual([[{ topic: 'notifications', reason: 'not_json' }, 4]]);
    expect(await values('build_info')).toEqual([[{ version: '1.0.0', node: 'n1', role: 'all' }, 1]]);
  });

  it('give histograms as cumulative buckets', async () => {
    const world = setUp();
    fill(world);
    const { samples = [] } = (await scrape(world.metrics)).get('ws_gateway_message_age_seconds') ?? {};
    expect(samples.map(({ name, labels, value }) => [name.split('seconds_')[1], labels['le'], value])).toEqual([
      ['bucket', '0.1', 2],
      ['bucket', '1', 3],
      ['bucket', '+Inf', 4],
      ['sum', undefined, 7.65],
      ['count', undefined, 4],
    ]);
  });

  it('count by user only when asked to', async () => {
    const off = setUp();
    fill(off);
    expect((await off.metrics.render()).body).not.toContain('u1');
    off.metrics.stop();
    const on = setUp({ perUser: true });
    fill(on);
    const family = (await scrape(on.metrics)).get('ws_gateway_business_messages_by_user_total');
    expect(family?.samples).toMatchObject([{ labels: { user: 'u1' }, value: 1 }]);
  });

  it('keep the format whatever a label holds', async () => {
    const world = setUp();
    for (const type of ['a"b', 'a\\b', 'a\nb', 'a}b{', '', 'ä😀', 'x'.repeat(5_000), '\ud800', '\udbff', 'a,b="c"'])
      world.router.messagesByType.add(type);
    const family = (await scrape(world.metrics)).get('ws_gateway_business_messages_by_type_total');
    const counted = new Map(family?.samples.map(({ labels, value }) => [labels['type'], value]));
    for (const type of ['a"b', 'a\\b', 'a\nb', 'a}b{', 'ä😀', 'a,b="c"']) expect(counted.get(type)).toBe(1);
    expect(counted.get('\ufffd')).toBe(2);
    expect(Math.max(...[...counted.keys()].map((type) => type?.length ?? 0))).toBe(128);
  });

  it('do not grow with the paths and methods that clients invent', async () => {
    const world = setUp();
    for (let i = 0; i < 1_000; i++) world.metrics.observeRequest(`M${i}`, `/scan/${i}`, 404, 0.001);
    const families = await scrape(world.metrics);
    const requests = families.get('ws_gateway_http_requests_total')?.samples ?? [];
    expect(requests.length).toBeLessThan(100);
    expect(requests.reduce((sum, { value }) => sum + value, 0)).toBe(1_000);
    expect(families.get('ws_gateway_http_request_duration_seconds')?.samples.length).toBeLessThan(100 * 20);
  });

  it('give the processing rate since the scrape before, and the same again within a second', async () => {
    let nowMs = 0;
    const world = setUp({ clock: () => nowMs });
    const rate = async () =>
      (await scrape(world.metrics)).get('ws_gateway_kafka_processing_rate')?.samples.map(({ value }) => value);
    world.router.messagesProcessed.add('t', 500);
    nowMs = 500;
    expect(await rate()).toEqual([0]);
    nowMs = 5_000;
    expect(await rate()).toEqual([100]);
    world.router.messagesProcessed.add('t', 1_000);
    nowMs = 5_500;
    expect(await rate()).toEqual([100]);
    nowMs = 7_000;
    expect(await rate()).toEqual([500]);
    nowMs = 17_000;
    expect(await rate()).toEqual([0]);
  });

  it('are merged over the processes of a group: sums, but the larger of two lags and the worse of two states', async () => {
    const [one, two] = [setUp(), setUp({ redis: false })];
    for (const world of [one, two]) fill(world);
    two.router.lag.get('notifications')?.set(0, 25);
    const group = new GroupMetrics('ws_gateway');
    const snapshots = await Promise.all([one, two].map(({ metrics: from }) => from.snapshot()));
    const values = await mergedValues(group, snapshots);
    expect(values('websocket_active_connections')).toEqual([6]);
    expect(values('message_age_seconds')).toEqual([4, 6, 8, 15.3, 8]);
    expect(values('kafka_consumer_lag')).toEqual([25, 0]);
    expect(values('build_info')).toEqual([1]);
    expect(values('workers')).toEqual([2]);
    expect(values('ready')).toEqual([1, 0]);
    one.metrics.stop();
  });

  it('of a process that has ended stay in the counters of its group and leave its gauges', async () => {
    const [one, two] = [setUp(), setUp()];
    for (const world of [one, two]) fill(world);
    const group = new GroupMetrics('ws_gateway');
    group.keep(await one.metrics.snapshot());
    group.countRestart();
    const values = await mergedValues(group, [await two.metrics.snapshot()]);
    expect(values('websocket_auth_errors_total')).toEqual([6]);
    expect(values('message_age_seconds')).toEqual([4, 6, 8, 15.3, 8]);
    expect(values('websocket_active_connections')).toEqual([3]);
    expect(values('workers')).toEqual([1]);
    expect(values('worker_restarts_total')).toEqual([1]);
    one.metrics.stop();
  });

  it('satisfy promtool where there is one', async () => {
    const world = setUp({ perUser: true });
    fill(world);
    const { body } = await world.metrics.render();
    const promtool = spawnSync('promtool', ['check', 'metrics'], { input: body, encoding: 'utf8' });
    // A machine that only has Node has no promtool; the reader above checks the same format everywhere.
    if (promtool.error !== undefined) return;
    expect(promtool.stderr.split('\n').filter((line) => /error|parse/i.test(line))).toEqual([]);
  });
});

describe('what is generated (`npm run docs` writes it)', () => {
  it.each([
    ['docs/metrics.md', metricsDocs],
    ['kubernetes/monitoring/grafana-dashboard.yaml', dashboardManifest],
  ])('%s is what the definitions say', (file, content) => {
    expect(readFileSync(new URL(`../../../${file}`, import.meta.url), 'utf8')).toBe(content());
  });
});
