import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Connected } from '../src/index.js';

/** One stream, in the test's hand. */
export class SseStream {
  readonly url: URL;
  readonly authorization: string | undefined;
  readonly #response: ServerResponse;

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.url = new URL(request.url!, 'http://host');
    this.authorization = request.headers.authorization;
    this.#response = response;
    response.writeHead(200, { 'content-type': 'text/event-stream', ...CORS });
  }

  get topics(): string[] {
    return this.url.searchParams.get('topics')?.split(',') ?? [];
  }

  get recover(): string | null {
    return this.url.searchParams.get('recover');
  }

  get open(): boolean {
    return !this.#response.destroyed && !this.#response.writableEnded;
  }

  accept(payload: Partial<Connected> = {}): void {
    const own = { connection: 'c', node: 'n', user: 'ann', heartbeat_ms: 0, reconnect_spread_ms: 0 };
    const topics = this.topics.map((topic) => ({ topic, stream: `${topic}/u/ann`, epoch: 'e1', offset: 0 }));
    this.say({ rid: -1, event: 'connected', status: 'ok', payload: { ...own, topics, ...payload } });
  }

  say(frame: { readonly event: string; readonly [member: string]: unknown }): void {
    this.write(`event: ${frame.event}\nid: opaque\ndata: ${JSON.stringify(frame)}\n\n`);
  }

  push(topic: string, payload: unknown, offset: number): void {
    const position = { stream: `${topic}/u/ann`, epoch: 'e1', offset };
    this.say({ rid: -1, event: topic, status: 'update', topic, payload, ...position });
  }

  write(text: string): void {
    this.#response.write(text);
  }

  end(): void {
    this.#response.end();
  }

  /** Breaks the connection off, as a killed node does. */
  breakOff(): void {
    this.#response.destroy();
  }
}

const CORS = { 'access-control-allow-origin': '*', 'access-control-allow-headers': 'authorization' };

/** A gateway behind a proxy that cuts WebSockets: what it streams is scripted by the test. */
export class SseServer {
  readonly streams: SseStream[] = [];
  /** Answers to come to /sse, first to last; then streams are opened, and accepted by themselves if `accepts`. */
  readonly refusals: { readonly status: number; readonly code: string }[] = [];
  accepts = true;
  /** WebSocket handshakes that were cut. */
  cut = 0;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => this.#answer(request, response));
    this.#server.on('upgrade', (_request, socket) => {
      this.cut++;
      socket.destroy();
    });
  }

  static async start(): Promise<SseServer> {
    const server = new SseServer();
    server.#server.listen(0, '127.0.0.1');
    await once(server.#server, 'listening');
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get last(): SseStream {
    return this.streams.at(-1)!;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { pathname } = new URL(request.url!, 'http://host');
    if (pathname !== '/sse' || request.method === 'OPTIONS') {
      response.writeHead(200, CORS).end();
      return;
    }
    const refusal = this.refusals.shift();
    if (refusal !== undefined) {
      const body = JSON.stringify({ error: { code: refusal.code, message: `because of ${refusal.code}` } });
      response.writeHead(refusal.status, CORS).end(body);
      return;
    }
    const stream = new SseStream(request, response);
    this.streams.push(stream);
    if (this.accepts) stream.accept();
  }
}
