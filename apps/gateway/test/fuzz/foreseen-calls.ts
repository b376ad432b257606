import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readFileSync } from 'node:fs';
import { load } from 'js-yaml';
import { exampleFile } from '../examples/example.js';

interface Foreseen {
  readonly path: RegExp;
  readonly query: readonly string[];
  /** Members of the JSON body; null: no body. */
  readonly body: readonly string[] | null;
}

/** Every call that the tables below can make, by hand: the table's own code is what is tested. */
const FORESEEN: Readonly<Record<string, readonly Foreseen[]>> = {
  GET: [
    { path: /^\/notification$/, query: ['limit', 'skip', 'sort', 'type', 'status'], body: null },
    { path: /^\/user$/, query: [], body: null },
    {
      path: /^\/schedule$/,
      query: ['from', 'to', 'tz', 'game_id', 'substage.tier', 'tournament.id'],
      body: null,
    },
    { path: /^\/tournament\/[^/]+$/, query: [], body: null },
    { path: /^\/items\/by\/[^/]+\/all$/, query: ['f'], body: null },
  ],
  PUT: [{ path: /^\/notification$/, query: [], body: ['ids', 'status'] }],
  POST: [{ path: /^\/items\/[^/]+$/, query: [], body: ['key', 'change'] }],
};

/** A real backend that keeps what it was asked although nobody can have foreseen it. */
export class CheckingBackend {
  readonly strange: string[] = [];
  calls = 0;
  readonly #http = createServer((request, response) => void this.#receive(request, response));

  static async start(): Promise<CheckingBackend> {
    const backend = new CheckingBackend();
    backend.#http.listen(0, '127.0.0.1');
    await once(backend.#http, 'listening');
    return backend;
  }

  /** Returns the keys of config.yaml that lead here. */
  get config(): { backends: object; commands: object } {
    const base = `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}`;
    const names = ['notification', 'user', 'items'];
    const http = Object.fromEntries(names.map((name) => [name, { url: `${base}/${name}` }]));
    const product = { scheduleMobile: { url: `${base}/schedule` }, tournamentMobile: { url: `${base}/tournament/` } };
    const { commands } = load(readFileSync(exampleFile('commands'), 'utf8')) as { commands: object };
    const items = { endpoints: ['/mobile'], backend: 'items' };
    return {
      backends: { http: { ...http, ...product } },
      commands: {
        ...commands,
        lookUp: { ...items, path: '/by/{key}/all', query: { f: 'filter' }, subscribe: 'item', required: ['key'] },
        change: { ...items, method: 'POST', path: '/{key}', body: { key: 'key', change: 'change' } },
      },
    };
  }

  async stop(): Promise<void> {
    this.#http.closeAllConnections();
    this.#http.close();
    await once(this.#http, 'close');
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { method = '', url = '' } = request;
    const body = Buffer.concat(chunks).toString();
    if (!isForeseen(method, url, body)) this.strange.push(`${method} ${url} ${body}`.slice(0, 1000));
    // Now and then it refuses: what a failed command leaves behind is part of the test.
    const isRefusal = ++this.calls % 5 === 0;
    response.writeHead(isRefusal ? 500 : 200, { 'content-type': 'application/json' });
    response.end(isRefusal ? '{"code":"later","message":"not now"}' : '{"total":1}');
  }
}

function isForeseen(method: string, url: string, body: string): boolean {
  const [path = '', query = ''] = url.split('?', 2);
  const names = [...new URLSearchParams(query).keys()];
  return (FORESEEN[method] ?? []).some(
    (call) =>
      call.path.test(path) &&
      !path.split('/').some((part) => ['.', '..'].includes(decodeURIComponent(part))) &&
      names.every((name) => call.query.includes(name)) &&
      // JSON cannot hold some numbers: this is what they become.
      !/Infinity|NaN|undefined|\[object/.test(decodeURIComponent(url.replaceAll('+', ' '))) &&
      isForeseenBody(call.body, body),
  );
}

function isForeseenBody(members: readonly string[] | null, body: string): boolean {
  if (members === null) return body === '';
  return Object.keys(JSON.parse(body) as object).every((name) => members.includes(name));
}
