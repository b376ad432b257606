import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { Span } from '@ws-gateway/core';
import { waitFor } from '@ws-gateway/testkit';
import { OtlpExporter } from '../src/index.js';

/** Serves POST /v1/traces; answers when it is told to. */
class Collector {
  /** Number of spans in each request. */
  readonly requests: number[] = [];
  readonly #unanswered: ServerResponse[] = [];
  readonly #server: Server;
  #answersAtOnce = true;

  private constructor() {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const body = JSON.parse(Buffer.concat(chunks).toString()) as {
          resourceSpans: { scopeSpans: { spans: unknown[] }[] }[];
        };
        this.requests.push(body.resourceSpans[0]!.scopeSpans[0]!.spans.length);
        this.#unanswered.push(response);
        if (this.#answersAtOnce) this.answer();
      });
    });
  }

  static async start(): Promise<Collector> {
    const collector = new Collector();
    collector.#server.listen(0, '127.0.0.1');
    await once(collector.#server, 'listening');
    cleanups.push(async () => {
      collector.#server.close();
      collector.#server.closeAllConnections();
      await once(collector.#server, 'close');
    });
    return collector;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1/traces`;
  }

  get spans(): number {
    return this.requests.reduce((sum, spans) => sum + spans, 0);
  }

  get waiting(): number {
    return this.#unanswered.length;
  }

  holdBack(): void {
    this.#answersAtOnce = false;
  }

  /** Answers what waits, and from now on at once. */
  answer(): void {
    this.#answersAtOnce = true;
    for (const response of this.#unanswered.splice(0)) response.writeHead(200).end('{}');
  }
}

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

const span: Span = {
  name: 'route',
  traceId: '0af7651916cd43dd8448eb211c80319c',
  spanId: 'b7ad6b7169203331',
  parentId: '',
  startMs: 1000.5,
  endMs: 1001,
  attributes: {},
};

function exporterTo({ url }: Collector): OtlpExporter {
  const nobody = { onFailing: () => undefined, onFlowing: () => undefined };
  return new OtlpExporter({ url, ratio: 1, inFrames: false, node: 'n1', version: '0', ...nobody });
}

describe('OtlpExporter', () => {
  it('has one request under way, however long the receiver takes for its answer', async () => {
    const collector = await Collector.start();
    collector.holdBack();
    const exporter = exporterTo(collector);
    exporter.add(span);
    await waitFor(() => collector.waiting === 1, { what: 'the first request' });
    exporter.add(span);
    // A second request would come a second later: a span of another exporter, added behind it, comes behind that.
    const barrier = await Collector.start();
    const other = exporterTo(barrier);
    for (let round = 1; round <= 2; round++) {
      other.add(span);
      await waitFor(() => barrier.requests.length === round, { what: 'the barrier' });
    }
    expect(collector.requests).toEqual([1]);
    collector.answer();
    await waitFor(() => collector.spans === 2, { what: 'the second span' });
    await exporter.stop();
    await other.stop();
    expect(exporter.dropped).toBe(0);
  });

  it('sends full batches one behind the other, so that many spans a second are no reason to drop any', async () => {
    const collector = await Collector.start();
    const exporter = exporterTo(collector);
    const startedMs = performance.now();
    for (let count = 0; count < 9000; count++) exporter.add(span);
    await waitFor(() => collector.spans >= 512 * 17, { what: 'the full batches' });
    expect(performance.now() - startedMs).toBeLessThan(8000);
    await exporter.stop();
    expect(exporter).toMatchObject({ sent: 9000, dropped: 0 });
    expect(collector.spans).toBe(9000);
  });
});
