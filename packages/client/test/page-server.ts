import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const FOLDERS = { '/client/': new URL('../dist/', import.meta.url), '/': new URL('./fixtures/', import.meta.url) };

export interface PageServer {
  readonly url: string;
  stop(): void;
}

/** A web server as any site has one: a page, its script, and this package's files as they are published. */
export async function startPageServer(): Promise<PageServer> {
  const server = createServer((request, response) => {
    const path = request.url ?? '/';
    if (path === '/') {
      response
        .setHeader('content-type', 'text/html')
        .end('<!doctype html><script type="module" src="page.js"></script>');
      return;
    }
    const [prefix, folder] = Object.entries(FOLDERS).find(([start]) => path.startsWith(start))!;
    readFile(new URL(path.slice(prefix.length), folder)).then(
      (file) => response.setHeader('content-type', 'text/javascript').end(file),
      () => response.writeHead(404).end(),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, stop: () => void server.close() };
}
