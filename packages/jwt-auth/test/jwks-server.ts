import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';

/** A real key set server on loopback; `respond` may be exchanged while it runs. */
export interface JwksServer {
  readonly url: string;
  requests: number;
  respond: (response: ServerResponse) => void;
  close(): Promise<void>;
}

export async function startJwksServer(respond: (response: ServerResponse) => void): Promise<JwksServer> {
  const http = createServer((_, response) => {
    server.requests++;
    server.respond(response);
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const server: JwksServer = {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/keys`,
    requests: 0,
    respond,
    async close() {
      http.closeAllConnections();
      http.close();
      await once(http, 'close');
    },
  };
  return server;
}

export function keySet(...keys: object[]): (response: ServerResponse) => void {
  return (response) => response.end(JSON.stringify({ keys }));
}
