import type { IncomingMessage, ServerResponse } from 'node:http';
import { HttpServer } from './http-server.js';

export interface Registered {
  readonly schema: string;
  readonly schemaType?: string;
  readonly references?: readonly { readonly name: string; readonly subject: string; readonly version: number }[];
}

/** A schema registry that answers what it is given, by path, and counts what it is asked. */
export class RegistryServer extends HttpServer {
  readonly asked: string[] = [];
  readonly authorizations: (string | undefined)[] = [];
  readonly answers: Map<string, Registered>;
  /** Status of every answer instead of 200 and 404. */
  failWith = 0;

  private constructor(answers: Readonly<Record<string, Registered>>) {
    super();
    this.answers = new Map(Object.entries(answers));
  }

  static start(answers: Readonly<Record<string, Registered>> = {}): Promise<RegistryServer> {
    return new RegistryServer(answers).listen();
  }

  protected override answer(request: IncomingMessage, response: ServerResponse): void {
    this.asked.push(request.url!);
    this.authorizations.push(request.headers.authorization);
    const answer = this.answers.get(request.url!);
    response.statusCode = this.failWith || (answer === undefined ? 404 : 200);
    response.setHeader('content-type', 'application/vnd.schemaregistry.v1+json');
    response.end(JSON.stringify(answer ?? { error_code: 40_403, message: 'Schema not found' }));
  }
}
