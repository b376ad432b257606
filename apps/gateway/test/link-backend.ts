import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { waitFor } from '@ws-gateway/testkit';
import { WebSocketServer, type WebSocket } from 'ws';

export type Event = Readonly<Record<string, unknown>>;

/** A backend that endpoints are piped to, with one link from each node. Its port stays its own. */
export class LinkBackend {
  /** Every event, over whichever link, in the order of arrival. */
  readonly events: Event[] = [];
  readonly texts: string[] = [];
  /** Open links, in the order they were made. */
  readonly links: WebSocket[] = [];
  readonly #linkOf = new Map<string, WebSocket>();
  #server: WebSocketServer | null = null;
  #port = 0;
  #next = 0;

  static async start(): Promise<LinkBackend> {
    const backend = new LinkBackend();
    await backend.start();
    return backend;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.#port}/links`;
  }

  async start(): Promise<void> {
    const server = new WebSocketServer({ host: '127.0.0.1', port: this.#port });
    await once(server, 'listening');
    this.#server = server;
    this.#port = (server.address() as AddressInfo).port;
    server.on('connection', (socket) => this.#join(socket));
  }

  /** Ends without close frames, as a crash does. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (server === null) return;
    this.#server = null;
    for (const client of server.clients) client.terminate();
    server.close();
    await once(server, 'close');
  }

  /** Resolves with the next event that fits, after the one that `next` gave last. */
  next(fits: Event): Promise<Event> {
    return waitFor(
      () => {
        while (this.#next < this.events.length) {
          const event = this.events[this.#next++]!;
          if (Object.entries(fits).every(([name, value]) => event[name] === value)) return event;
        }
        return null;
      },
      { what: `an event with ${JSON.stringify(fits)}; got ${this.texts.slice(-20).join('\n')}` },
    );
  }

  /** Forgets all events so far. */
  forget(): void {
    this.events.length = 0;
    this.#next = 0;
  }

  /** Sends an action over the link that told of the user, or over another one. */
  send(user: string, over: 'own link' | 'other link', ...actions: unknown[]): void {
    const own = this.#linkOf.get(user);
    const link = over === 'own link' ? own : this.links.find((socket) => socket !== own);
    if (link === undefined) throw new Error(`no ${over} of ${user}`);
    for (const action of actions) link.send(typeof action === 'string' ? action : JSON.stringify(action));
  }

  #join(socket: WebSocket): void {
    this.links.push(socket);
    socket.on('close', () => this.links.splice(this.links.indexOf(socket), 1));
    socket.on('message', (data) => {
      const text = (data as Buffer).toString();
      const event = JSON.parse(text) as Event;
      this.texts.push(text);
      this.events.push(event);
      if (event['event'] === 'open') this.#linkOf.set(String(event['user']), socket);
    });
  }
}
