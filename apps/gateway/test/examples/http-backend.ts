import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** Body as JSON; undefined when there was none. */
  readonly body: unknown;
}

export interface Answer {
  readonly status: number;
  readonly body?: unknown;
}

/** A service of somebody else's, over plain node:http: keeps what it was asked. */
export class HttpBackend {
  readonly asked: Asked[] = [];
  answer: (asked: Asked) => Answer | Promise<Answer>;
  readonly #server: Server;

  private constructor(answer: HttpBackend['answer']) {
    this.answer = answer;
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const { pathname: path, searchParams: query } = new URL(request.url!, 'http://backend');
        const text = Buffer.concat(chunks).toString();
        const body: unknown = text === '' ? undefined : JSON.parse(text);
        const asked = { method: request.method!, path, query, headers: request.headers, body };
        this.asked.push(asked);
        void Promise.resolve(this.answer(asked)).then(({ status, body: json }) => {
          response.writeHead(status, { 'content-type': 'application/json' });
          response.end(json === undefined ? '' : JSON.stringify(json));
        });
      });
    });
  }

  static async start(answer: HttpBackend['answer']): Promise<HttpBackend> {
    const backend = new HttpBackend(answer);
    backend.#server.listen(0, '127.0.0.1');
    await once(backend.#server, 'listening');
    return backend;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Returns the newest request. */
  get last(): Asked {
    return this.asked.at(-1)!;
  }

  async stop(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }
}
