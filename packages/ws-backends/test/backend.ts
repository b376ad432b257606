import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { waitFor } from '@ws-gateway/testkit';
import { WebSocketServer, type WebSocket } from 'ws';

export type Told = Readonly<Record<string, unknown>>;

/** A backend on a port that stays its own: it can go and come back. */
export class Backend {
  /** Texts of each link, in the order of the links. */
  readonly links: { readonly socket: WebSocket; readonly texts: string[] }[] = [];
  #server: WebSocketServer | null = null;
  #port = 0;

  static async start(): Promise<Backend> {
    const backend = new Backend();
    await backend.start();
    return backend;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.#port}/`;
  }

  /** Texts that the newest link carried. */
  get told(): Told[] {
    return (this.links.at(-1)?.texts ?? []).map((text) => JSON.parse(text) as Told);
  }

  async start(): Promise<void> {
    const server = new WebSocketServer({ host: '127.0.0.1', port: this.#port });
    await once(server, 'listening');
    this.#server = server;
    this.#port = (server.address() as AddressInfo).port;
    server.on('connection', (socket) => {
      const link = { socket, texts: [] as string[] };
      this.links.push(link);
      socket.on('message', (data) => link.texts.push((data as Buffer).toString()));
    });
  }

  /** Ends without a close frame, as a crash does. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (server === null) return;
    this.#server = null;
    for (const client of server.clients) client.terminate();
    server.close();
    await once(server, 'close');
  }

  send(...actions: unknown[]): void {
    for (const action of actions) {
      const raw = typeof action === 'string' || action instanceof Uint8Array;
      this.links.at(-1)!.socket.send(raw ? action : JSON.stringify(action));
    }
  }

  /** Waits until the newest link has carried this number of texts. */
  async toldOf(count: number): Promise<Told[]> {
    await waitFor(() => this.told.length >= count, { what: `${count} events` });
    return this.told;
  }
}
