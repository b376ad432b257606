import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, Server as TlsServer, TLSSocket, type TlsOptions } from 'node:tls';

export interface TcpProxyOptions {
  readonly host?: string;
  readonly port: number;
  /** TLS options: clients speak TLS with the proxy, and the server behind it need not know how. */
  readonly tls?: TlsOptions;
}

/** A cable that can be cut: connections through it are real, and so are their ends. */
export class TcpProxy {
  /** Delay in ms of each chunk of bytes, in order. It applies to what comes from now on. */
  delayMs = 0;
  readonly #target: { readonly host: string; readonly port: number };
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isCut = false;

  private constructor(target: TcpProxyOptions) {
    this.#target = { host: target.host ?? '127.0.0.1', port: target.port };
    const accept = (socket: Socket): void => this.#accept(socket);
    this.#server =
      target.tls === undefined
        ? createServer({ pauseOnConnect: true }, accept)
        : createTlsServer(target.tls, accept).on('tlsClientError', () => undefined);
  }

  static async start(target: TcpProxyOptions): Promise<TcpProxy> {
    const proxy = new TcpProxy(target);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get connections(): number {
    return this.#sockets.size / 2;
  }

  /** Ends all connections at once. Until `restore` it accepts new ones and ends them. */
  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) breakOff(socket);
  }

  restore(): void {
    this.#isCut = false;
  }

  /** Clients that connect from now on see this certificate, and need one of these authorities. */
  renew(tls: Pick<TlsOptions, 'cert' | 'key' | 'ca'>): void {
    if (this.#server instanceof TlsServer) this.#server.setSecureContext(tls);
  }

  async stop(): Promise<void> {
    this.cut();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(client: Socket): void {
    if (this.#isCut) {
      client.on('error', () => client.destroy());
      breakOff(client);
      return;
    }
    const server = connect(this.#target);
    this.#join(client, server);
    this.#join(server, client);
    server.once('connect', () => client.resume());
  }

  #join(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    from.setNoDelay(true);
    const waiting: Action[] = [];
    from.on('data', (chunk) => this.#later(waiting, () => forward(from, to, chunk)));
    from.on('end', () => this.#later(waiting, () => to.end()));
    // `close` follows an error and does the work.
    from.on('error', () => undefined);
    from.on('close', (hadError) => {
      this.#sockets.delete(from);
      // After an orderly end bytes may still be on their way, so the other side is not destroyed at once.
      if (hadError) to.destroy();
      else this.#later(waiting, () => to.end());
    });
  }

  /** Runs actions in the order of the calls, also when the delay was changed between them. */
  #later(waiting: Action[], action: Action): void {
    if (this.delayMs === 0 && waiting.length === 0) {
      action();
      return;
    }
    waiting.push(action);
    setTimeout(() => waiting.shift()!(), this.delayMs).unref();
  }
}

type Action = () => void;

function forward(from: Socket, to: Socket, chunk: Buffer): void {
  if (to.destroyed || to.write(chunk)) return;
  from.pause();
  to.once('drain', () => from.resume());
}

function breakOff(socket: Socket): void {
  // An encrypted connection cannot be reset.
  if (socket instanceof TLSSocket) socket.destroy();
  else socket.resetAndDestroy();
}
