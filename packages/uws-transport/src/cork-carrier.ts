import { randomUUID } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import type { Logger } from '@ws-gateway/core';
import type { HttpResponse, TemplatedApp, us_listen_socket } from 'uWebSockets.js';
import { loadAddon } from './addon.js';

const RECONNECT_MS = 200;

/**
 * A response that is never answered, for the sake of its `cork`: the only safe place to call `res.upgrade` from after
 * an await, in uWebSockets.js 20.51.4.
 *
 * - In `res.cork(() => res.upgrade(…))`, as upstream's example has it, cork looks at the response's state after the
 *   callback. The upgrade has turned that memory into a WebSocket: when the realloc stayed in place, cork reads what
 *   happens to lie there and now and then closes the new socket (one in 1,500 to 3,000; client and server see 1006). Fixed
 *   upstream in 2026, but there is no build with the fix for the glibc that Debian 12 has.
 * - `res.upgrade(…)` outside of any cork is safe but writes a warning to stderr for each socket: the wrapper counts
 *   whether it is inside *some* cork callback.
 * - Inside the cork of *another* response both are content: the counter is above zero, and cork looks at the state of
 *   the other response, which stays what it was. That other response is the carrier: the pending request of one private
 *   loopback connection.
 *
 * What it costs: the 101 leaves in 24 small sends instead of one, some 120 µs of CPU more for each handshake. (Clients
 * that offer `wsg.v1` are upgraded before any await, and need no carrier.) `WebSocket.cork`
 * does not serve: it does not move the counter.
 */
export class CorkCarrier {
  readonly #logger: Logger;
  readonly #app: TemplatedApp;
  /** Nobody but us can take the private listener for a carrier. */
  readonly #path = `/${randomUUID()}`;
  #listener: us_listen_socket | null = null;
  #client: Socket | null = null;
  #carrier: HttpResponse | null = null;
  #onCarrier: (() => void) | null = null;
  #closed = false;

  constructor(logger: Logger) {
    this.#logger = logger;
    this.#app = loadAddon().App();
    this.#app.any('/*', (res, req) => this.#accept(res, req.getUrl()));
  }

  /** Resolves when there is a carrier, or when there cannot be one now (logged; it tries on). Never rejects. */
  start(): Promise<void> {
    return new Promise((resolve) => {
      this.#onCarrier = resolve;
      this.#connect();
    });
  }

  /** Runs `upgrade` at once. Without a carrier it is run bare: just as safe, but with upstream's warning on stderr. */
  cork(upgrade: () => void): void {
    if (this.#carrier === null) upgrade();
    else this.#carrier.cork(upgrade);
  }

  close(): void {
    this.#closed = true;
    this.#stopListening();
    this.#client?.destroy();
    this.#app.close();
  }

  #connect(): void {
    if (this.#closed) return;
    const uws = loadAddon();
    this.#app.listen('127.0.0.1', 0, (listener) => {
      this.#listener = listener === false ? null : listener;
    });
    if (this.#listener === null) return this.#retry(new Error('no loopback listener'));

    const client = connect(uws.us_socket_local_port(this.#listener as never), '127.0.0.1');
    this.#client = client;
    let reason: Error | undefined;
    client.on('error', (error) => (reason = error));
    client.on('close', () => this.#retry(reason));
    client.resume();
    // Whether the process may end is not for this connection to decide.
    client.unref();
    client.write(`GET ${this.#path} HTTP/1.1\r\nHost: carrier\r\n\r\n`);
  }

  #accept(res: HttpResponse, path: string): void {
    if (path !== this.#path) {
      res.writeStatus('404 Not Found').end();
      return;
    }
    res.onAborted(() => (this.#carrier = null));
    this.#carrier = res;
    this.#stopListening();
    this.#settleStart();
  }

  #retry(reason?: Error): void {
    this.#stopListening();
    this.#settleStart();
    if (this.#closed) return;
    this.#logger.warn('cork carrier lost, upgrades will warn on stderr meanwhile', { error: reason?.message });
    setTimeout(() => this.#connect(), RECONNECT_MS).unref();
  }

  #settleStart(): void {
    this.#onCarrier?.();
    this.#onCarrier = null;
  }

  #stopListening(): void {
    if (this.#listener !== null) loadAddon().us_listen_socket_close(this.#listener);
    this.#listener = null;
  }
}
