import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { manifestsOf } from './kubernetes-manifests.js';
import { findPromtool } from './promtool.js';

const promtool = findPromtool();
const rules = manifestsOf('monitoring').find(({ kind }) => kind === 'PrometheusRule')!.spec;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'wsg-rules-'));
  // JSON is YAML.
  writeFileSync(join(folder, 'rules.yaml'), JSON.stringify(rules));
});
afterAll(() => rmSync(folder, { recursive: true }));

const POD = 'namespace="n",pod="p"';
const TARGET = `job="n/ws-gateway",${POD}`;

/** Series as promtool writes them, one value each 15 s. */
type Series = Readonly<Record<string, string>>;

/** Whether the alert fires at that time. */
function fires(alert: string, time: string, series: Series): boolean {
  const input = Object.entries(series).map(([name, values]) => ({ series: name, values }));
  const file = join(folder, 'test.yaml');
  // With an alert its labels and texts would have to be said, so the proof of one is that "none" is wrong.
  const alert_rule_test = [{ eval_time: time, alertname: alert, exp_alerts: [] }];
  const tests = [{ interval: '15s', input_series: input, alert_rule_test }];
  writeFileSync(file, JSON.stringify({ rule_files: ['rules.yaml'], evaluation_interval: '15s', tests }));
  const { status, stdout, stderr } = spawnSync(promtool!, ['test', 'rules', file]);
  const said = `${stdout.toString()}${stderr.toString()}`;
  if (status !== 0 && !said.includes('got:')) throw new Error(said);
  return status !== 0;
}

(promtool === null ? describe.skip : describe)('alerts, by promtool', () => {
  test('are rules that Prometheus takes', () => {
    const { status, stdout } = spawnSync(promtool!, ['check', 'rules', join(folder, 'rules.yaml')]);
    expect([status, stdout.toString()]).toEqual([0, expect.stringContaining('SUCCESS')]);
  });

  const cases: readonly (readonly [title: string, alert: string, time: string, Series])[] = [
    ['a node that does not answer is told within 2 min', 'WsGatewayDown', '2m', { [`up{${TARGET}}`]: '1 0x20' }],
    [
      'records that wait while none is taken are told within 4 min',
      ...(['WsGatewayStandstill', '4m'] as const),
      {
        [`ws_gateway_kafka_consumer_lag{topic="t",${POD}}`]: '0x2 5x30',
        [`ws_gateway_kafka_messages_processed_total{topic="t",${POD}}`]: '0+10x2 20x30',
      },
    ],
    [
      'descriptors that run out are told',
      ...(['WsGatewayDescriptors', '3m'] as const),
      { [`process_open_fds{${TARGET}}`]: '260x20', [`process_max_fds{${TARGET}}`]: '300x20' },
    ],
    [
      'memory that runs out is told',
      ...(['WsGatewayMemory', '6m'] as const),
      {
        [`ws_gateway_system_memory_usage_bytes{${POD}}`]: '900x40',
        [`ws_gateway_memory_limit_bytes{${POD}}`]: '1000x40',
      },
    ],
    [
      'a topic that does not exist is told',
      ...(['WsGatewayTopicsMissing', '6m'] as const),
      { [`ws_gateway_kafka_topics_missing{topic="t",${POD}}`]: '1x40' },
    ],
    [
      'handshakes that are refused in numbers are told',
      ...(['WsGatewayHandshakesRefused', '12m'] as const),
      {
        [`ws_gateway_websocket_refusals_total{code="unavailable",${POD}}`]: '0+100x60',
        [`ws_gateway_websocket_connections_total{${POD}}`]: '0+100x60',
      },
    ],
    [
      'a stale key set is told',
      ...(['WsGatewayKeySetStale', '6m'] as const),
      { [`ws_gateway_auth_key_set_age_seconds{issuer="i",${POD}}`]: '4000x40' },
    ],
    [
      'a drain that stands still is told',
      ...(['WsGatewayDrainStuck', '5m'] as const),
      { [`ws_gateway_drain_remaining_connections{${POD}}`]: '7x40' },
    ],
    [
      'a worker that does not come back is told',
      ...(['WsGatewayWorkersMissing', '12m'] as const),
      { [`ws_gateway_workers{${POD}}`]: '4x4 3x60' },
    ],
  ];

  test.each(cases)('%s', (_title, alert, time, series) => {
    expect(fires(alert, time, series)).toBe(true);
  });

  const quiet: typeof cases = [
    [
      'a topic without records',
      'WsGatewayStandstill',
      '10m',
      { [`ws_gateway_kafka_consumer_lag{topic="t",${POD}}`]: '0x60' },
    ],
    [
      'a drain that goes on',
      ...(['WsGatewayDrainStuck', '5m'] as const),
      { [`ws_gateway_drain_remaining_connections{${POD}}`]: '4000-100x40' },
    ],
    ['a target of another job', 'WsGatewayDown', '5m', { 'up{job="other"}': '0x40' }],
  ];

  test.each(quiet)('%s is no alert', (_title, alert, time, series) => {
    expect(fires(alert, time, series)).toBe(false);
  });
});
