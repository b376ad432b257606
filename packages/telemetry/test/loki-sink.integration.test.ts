import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { waitFor } from '@ws-gateway/testkit';
import { createLogger, LokiSink, type LokiOptions } from '../src/index.js';
import { Capture } from './capture.js';

interface Push {
  readonly headers: IncomingHttpHeaders;
  readonly path: string;
  readonly streams: { readonly stream: object; readonly values: readonly (readonly [string, string])[] }[];
}

/** Serves POST /loki/api/v1/push as Loki's HTTP API describes it. */
class Loki {
  readonly pushes: Push[] = [];
  /** Status that answers each push. */
  status = 204;
  readonly #server: Server;
  port = 0;

  private constructor() {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const { streams } = JSON.parse(Buffer.concat(chunks).toString()) as Pick<Push, 'streams'>;
        this.pushes.push({ headers: request.headers, path: `${request.method} ${request.url}`, streams });
        response.writeHead(this.status).end();
      });
    });
  }

  static async start(port = 0): Promise<Loki> {
    const loki = new Loki();
    loki.#server.listen(port, '127.0.0.1');
    await once(loki.#server, 'listening');
    loki.port = (loki.#server.address() as AddressInfo).port;
    cleanups.push(() => loki.stop());
    return loki;
  }

  get lines(): string[] {
    return this.pushes.flatMap(({ streams }) => streams.flatMap(({ values }) => values.map(([, line]) => line)));
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }
}

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

function sinkTo(port: number, options: Partial<LokiOptions> = {}): LokiSink {
  const sink = new LokiSink({ url: `http://127.0.0.1:${port}/loki/api/v1/push`, labels: {}, ...options });
  cleanups.push(() => sink.stop());
  return sink;
}

describe('LokiSink', () => {
  it('pushes lines in order with their time and the configured labels, many in one request', async () => {
    const loki = await Loki.start();
    const before = Date.now();
    const sink = sinkTo(loki.port, { labels: { app: 'mine', env: 'prod' } });
    for (let at = 0; at < 100; at++) sink.write(`line ${at}\n`);
    await waitFor(() => sink.pushed === 100);
    expect(loki.lines).toEqual(Array.from({ length: 100 }, (_, at) => `line ${at}`));
    const [push] = loki.pushes;
    expect(loki.pushes).toHaveLength(1);
    expect(push).toMatchObject({ path: 'POST /loki/api/v1/push', headers: { 'content-type': 'application/json' } });
    expect(push!.streams).toHaveLength(1);
    expect(push!.streams[0]!.stream).toEqual({ app: 'mine', env: 'prod' });
    const [time] = push!.streams[0]!.values[0]!;
    expect(time).toMatch(/^\d{19}$/);
    expect(Number(time.slice(0, 13))).toBeGreaterThanOrEqual(before);
  });

  it('has a label when none is configured, and gives the credentials of the URL as HTTP wants them', async () => {
    const loki = await Loki.start();
    const sink = new LokiSink({ url: `http://me:p%40ss@127.0.0.1:${loki.port}/push`, labels: {} });
    sink.write('x\n');
    await sink.stop();
    expect(loki.pushes[0]!.streams[0]!.stream).toEqual({ app: 'ws-gateway' });
    expect(loki.pushes[0]!.headers.authorization).toBe(`Basic ${Buffer.from('me:p@ss').toString('base64')}`);
  });

  it('keeps what fits while Loki is away, counts the rest, and goes on by itself', async () => {
    const loki = await Loki.start();
    const { port } = loki;
    await loki.stop();
    const sink = sinkTo(port, { waitingBytesMax: 10_000 });
    const said: unknown[] = [];
    sink.on('failing', (reason) => said.push(reason)).on('flowing', () => said.push('flowing'));
    const line = 'x'.repeat(900);
    for (let at = 0; at < 1_000; at++) sink.write(`${line}\n`);
    expect(sink.dropped).toBe(990);
    await waitFor(() => said.length === 1);
    const back = await Loki.start(port);
    await waitFor(() => sink.pushed === 10, { timeoutMs: 20_000 });
    expect(back.lines).toHaveLength(10);
    expect(said).toEqual(['ECONNREFUSED', 'flowing']);
    sink.write('later\n');
    await waitFor(() => back.lines.at(-1) === 'later');
    expect(sink.dropped).toBe(990);
  }, 40_000);

  it('tries again after 5xx, gives up what is refused for good', async () => {
    const loki = await Loki.start();
    const sink = sinkTo(loki.port);
    loki.status = 503;
    sink.write('again\n');
    await waitFor(() => loki.pushes.length === 1);
    loki.status = 204;
    await waitFor(() => sink.pushed === 1);
    loki.status = 400;
    sink.write('refused\n');
    await waitFor(() => sink.dropped === 1);
    loki.status = 204;
    sink.write('good\n');
    await waitFor(() => sink.pushed === 2);
    expect(loki.lines).toEqual(['again', 'again', 'refused', 'good']);
  });

  it('pushes what waits when it is stopped, and does not wait for a server that is gone', async () => {
    const loki = await Loki.start();
    const sink = sinkTo(loki.port);
    sink.write('last\n');
    await sink.stop();
    expect(loki.lines).toEqual(['last']);
    const { port } = loki;
    await loki.stop();
    const lost = sinkTo(port);
    lost.write('lost\n');
    await lost.stop();
    expect([lost.pushed, lost.dropped]).toEqual([0, 1]);
  });
});

describe('a logger with Loki', () => {
  it('writes JSON to it whatever the format, and tokens to neither', async () => {
    const loki = await Loki.start();
    const sink = sinkTo(loki.port);
    const stream = new Capture();
    const log = createLogger({ level: 'info', format: 'pretty', stream, loki: sink });
    log.info('listening', { port: 1, url: '/ws?token=abc.def.ghi' });
    await sink.stop();
    expect(JSON.parse(loki.lines[0]!)).toMatchObject({ level: 'info', message: 'listening', port: 1 });
    expect(loki.lines[0]).not.toContain('abc.def');
    expect(stream.text).toContain('listening');
    expect(stream.text).not.toContain('"message"');
  });
});
