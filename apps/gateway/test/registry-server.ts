import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A schema registry that answers what it is given, by path. */
export class RegistryServer {
  isAway = false;
  readonly #server: Server;

  private constructor(answers: Readonly<Record<string, object>>) {
    this.#server = createServer((request, response) => {
      const answer = answers[request.url!];
      response.statusCode = this.isAway ? 503 : answer === undefined ? 404 : 200;
      response.end(JSON.stringify(answer ?? {}));
    });
  }

  static async start(answers: Readonly<Record<string, object>>): Promise<RegistryServer> {
    const registry = new RegistryServer(answers);
    await new Promise<void>((resolve) => registry.#server.listen(0, '127.0.0.1', resolve));
    return registry;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
