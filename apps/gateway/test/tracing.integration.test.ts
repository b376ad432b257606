import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '@ws-gateway/testkit';
import { metric } from './faults/gateway-processes.js';
import { GatewayCluster, record } from './gateway-cluster.js';

interface OtlpSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly { key: string; value: Record<string, string> }[];
}

interface OtlpRequest {
  readonly resourceSpans: readonly {
    resource: { attributes: readonly { key: string; value: Record<string, string> }[] };
    scopeSpans: readonly { spans: readonly OtlpSpan[] }[];
  }[];
}

const TRACE = 'aaaabbbbccccddddeeeeffff00001111';
const PARENT = '1111222233334444';

const requests: OtlpRequest[] = [];
let status = 200;
let receiver: Server;
let always: GatewayCluster;
let byHeader: GatewayCluster;

beforeAll(async () => {
  receiver = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      if (status === 200) requests.push(JSON.parse(Buffer.concat(pieces).toString()) as OtlpRequest);
      response.writeHead(status, { 'content-type': 'application/json' }).end('{}');
    });
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  const { port } = receiver.address() as AddressInfo;
  const otlpUrl = `http://127.0.0.1:${port}/v1/traces`;
  byHeader = await GatewayCluster.open({
    nodes: [
      { role: 'router', config: { tracing: { otlpUrl } } },
      { role: 'edge', config: { tracing: { otlpUrl } } },
    ],
  });
  always = await GatewayCluster.open({ nodes: [{ config: { tracing: { otlpUrl, ratio: 1, frames: true } } }] });
}, 90_000);
afterAll(async () => {
  await always?.close();
  await byHeader?.close();
  receiver.close();
}, 60_000);

function spansOf(traceId: string): OtlpSpan[] {
  const all = requests.flatMap(({ resourceSpans }) => resourceSpans.flatMap(({ scopeSpans }) => scopeSpans));
  return all.flatMap(({ spans }) => spans).filter((span) => span.traceId === traceId);
}

function named(spans: readonly OtlpSpan[], name: string): OtlpSpan {
  return spans.find((span) => span.name === name)!;
}

describe('spans of a record', () => {
  it('follow its header over router and node, each caused by the one before', async () => {
    const client = await byHeader.connect(1, 'ann', 'notifications');
    const headers = { traceparent: `00-${TRACE}-${PARENT}-01` };
    await byHeader.produce('notifications', { ...record('ann', 1), headers });
    expect(await client.next('notifications')).not.toHaveProperty('traceparent');
    const spans = await waitFor(() => spansOf(TRACE).length === 3 && spansOf(TRACE));
    const [consume, route, deliver] = ['consume', 'route', 'deliver'].map((name) => named(spans, name));
    expect([consume!.parentSpanId, route!.parentSpanId, deliver!.parentSpanId]).toEqual([
      PARENT,
      consume!.spanId,
      route!.spanId,
    ]);
    expect(new Set(spans.map(({ spanId }) => spanId)).size).toBe(3);
    for (const { spanId, startTimeUnixNano, endTimeUnixNano } of spans) {
      expect(spanId).toMatch(/^[0-9a-f]{16}$/);
      expect(BigInt(endTimeUnixNano) >= BigInt(startTimeUnixNano)).toBe(true);
    }
    const topic = { stringValue: byHeader.kafkaTopic('notifications') };
    expect(consume!.attributes).toContainEqual({ key: 'messaging.destination.name', value: topic });
    expect(deliver!.attributes).toContainEqual({ key: 'ws_gateway.connections', value: { intValue: '1' } });
    const [resource] = requests[0]!.resourceSpans;
    expect(resource!.resource.attributes).toContainEqual({ key: 'service.name', value: { stringValue: 'ws-gateway' } });
    await client.close();
  });

  it('are none where its header says so, has no meaning, or is not there', async () => {
    const client = await byHeader.connect(1, 'bob', 'notifications');
    const before = requests.length;
    const unsampled = TRACE.replace('aaaa', 'dddd');
    const last = TRACE.replace('aaaa', 'eeee');
    await byHeader.produce(
      'notifications',
      { ...record('bob', 1), headers: { traceparent: `00-${unsampled}-${PARENT}-00` } },
      { ...record('bob', 2), headers: { traceparent: 'nonsense' } },
      record('bob', 3),
      { ...record('bob', 4), headers: { traceparent: `00-${last}-${PARENT}-01` } },
    );
    await client.next(({ payload }) => payload === 4);
    await waitFor(() => spansOf(last).length === 3);
    const since = requests.slice(before).flatMap(({ resourceSpans }) => resourceSpans);
    const traces = since.flatMap(({ scopeSpans }) =>
      scopeSpans.flatMap(({ spans }) => spans.map((span) => span.traceId)),
    );
    expect(new Set(traces)).toEqual(new Set([last]));
    await client.close();
  });

  it('begin a trace by the ratio, which the frame tells of', async () => {
    const client = await always.connect(0, 'cleo', 'notifications');
    await always.produce('notifications', record('cleo', 1));
    const { traceparent } = await client.next('notifications');
    const [, traceId, spanId] = /^00-([0-9a-f]{32})-([0-9a-f]{16})-01$/.exec(String(traceparent))!;
    const spans = await waitFor(() => spansOf(traceId!).length === 3 && spansOf(traceId!));
    expect(named(spans, 'consume').parentSpanId).toBeUndefined();
    expect(named(spans, 'route').spanId).toBe(spanId);
    await client.close();
  });

  it('are given up and counted when their receiver refuses them, and nothing waits for it', async () => {
    const client = await always.connect(0, 'dora', 'notifications');
    status = 503;
    await always.produce('notifications', record('dora', 1));
    await client.next('notifications');
    await waitFor(async () => (await metric(always.nodes[0]!, 'spans_total{result="dropped"}')) >= 3);
    status = 200;
    await always.produce('notifications', record('dora', 2));
    const { traceparent } = await client.next('notifications');
    await waitFor(() => spansOf(String(traceparent).split('-')[1]!).length === 3);
    await client.close();
  });
});
