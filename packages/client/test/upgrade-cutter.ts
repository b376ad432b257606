import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** A proxy that lets plain HTTP through and resets whoever asks for a WebSocket. */
export class UpgradeCutter {
  /** Handshakes that were reset. */
  cut = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(port: number) {
    this.#server = createServer((client) => this.#accept(client, port));
  }

  static async start(port: number): Promise<UpgradeCutter> {
    const proxy = new UpgradeCutter(port);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(client: Socket, port: number): void {
    const server = connect(port, '127.0.0.1');
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.#sockets.delete(socket);
        client.destroy();
        server.destroy();
      });
    }
    // A request comes whole here: clients write it at once.
    client.on('data', (request) => {
      if (/^upgrade: websocket/im.test(request.toString('latin1'))) {
        this.cut++;
        client.resetAndDestroy();
      } else {
        server.write(request);
      }
    });
    server.pipe(client);
  }
}
