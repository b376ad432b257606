import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Registered {
  readonly schema: string;
  readonly schemaType?: string;
  readonly references?: readonly { readonly name: string; readonly subject: string; readonly version: number }[];
}

/** A schema registry that answers what it is given, and counts what it is asked. */
export class RegistryServer {
  readonly asked: string[] = [];
  readonly authorizations: (string | undefined)[] = [];
  readonly answers = new Map<string, Registered>();
  /** Status of every answer instead of 200 and 404. */
  failWith = 0;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      this.asked.push(request.url!);
      this.authorizations.push(request.headers.authorization);
      const answer = this.answers.get(request.url!);
      response.statusCode = this.failWith || (answer === undefined ? 404 : 200);
      response.setHeader('content-type', 'application/vnd.schemaregistry.v1+json');
      response.end(JSON.stringify(answer ?? { error_code: 40_403, message: 'Schema not found' }));
    });
  }

  static async start(): Promise<RegistryServer> {
    const registry = new RegistryServer();
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
