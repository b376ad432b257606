import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { WebSocketServer, type WebSocket } from 'ws';

interface Command {
  readonly rid: number;
  readonly command: string;
  readonly options: { readonly topics: readonly string[] };
}

/** A web server with the page, and a gateway that the test scripts, on one port. */
export class ReactPage {
  readonly sockets: WebSocket[] = [];
  readonly commands: Command[] = [];
  /** Said instead of `connected`, with this close. */
  refusal: { readonly payload: object; readonly close: number } | null = null;
  readonly #server: Server;

  private constructor(script: string) {
    this.#server = createServer((request, response) => {
      const isScript = request.url === '/app.js';
      response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html');
      response.end(isScript ? script : '<!doctype html><body><script type="module" src="/app.js"></script>');
    });
    const gateway = new WebSocketServer({ server: this.#server, handleProtocols: () => 'wsg.v1' });
    gateway.on('connection', (socket, request) => {
      const topics = new URL(request.url!, 'http://host').searchParams.get('topics')?.split(',') ?? [];
      this.#connected(socket, topics);
    });
  }

  static async start(): Promise<ReactPage> {
    const { outputFiles } = await build({
      entryPoints: [fileURLToPath(new URL('fixtures/app.ts', import.meta.url))],
      bundle: true,
      format: 'esm',
      conditions: ['source'],
      define: { 'process.env.NODE_ENV': '"development"' },
      write: false,
    });
    const page = new ReactPage(outputFiles[0]!.text);
    page.#server.listen(0, '127.0.0.1');
    await once(page.#server, 'listening');
    return page;
  }

  url(...topics: string[]): string {
    const host = `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    const parameters = [['url', `ws://${host}/ws`], ...topics.map((topic) => ['topic', topic])];
    return `http://${host}/?${new URLSearchParams(parameters as [string, string][]).toString()}`;
  }

  push(topic: string, payload: unknown): void {
    this.#say({ rid: -1, event: topic, status: 'update', topic, payload });
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.terminate();
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #connected(socket: WebSocket, topics: readonly string[]): void {
    this.sockets.push(socket);
    if (this.refusal !== null) {
      const { payload, close } = this.refusal;
      this.#say({ rid: -1, event: 'refused', status: 'error', payload });
      socket.close(close);
      return;
    }
    const rows = topics.map((topic) => ({ topic }));
    const payload = { connection: 'c', node: 'n', user: 'ann', heartbeat_ms: 0, topics: rows };
    this.#say({ rid: -1, event: 'connected', status: 'ok', payload });
    socket.on('message', (data: Buffer) => this.#answer(JSON.parse(data.toString()) as Command));
  }

  #answer(command: Command): void {
    this.commands.push(command);
    const { rid, options } = command;
    const known = !options.topics.includes('wrong');
    const payload = known
      ? { topics: options.topics.map((topic) => ({ topic })) }
      : { code: 'unknown_topic', message: 'known topics: news' };
    this.#say({ rid, event: command.command, status: known ? 'ok' : 'forbidden', payload });
  }

  #say(frame: object): void {
    this.sockets.at(-1)!.send(JSON.stringify(frame));
  }
}
