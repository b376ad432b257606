import { waitFor, type GatewayProcess } from '@ws-gateway/testkit';
import { ADMIN_TOKEN } from './admin-client.js';

export interface Step {
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** A client of GET /api/trace. */
export class TraceReader {
  readonly steps: Step[] = [];
  readonly response: Response;
  readonly #aborter: AbortController;

  private constructor(response: Response, aborter: AbortController) {
    this.response = response;
    this.#aborter = aborter;
    if (response.ok) this.#read(response.body!).catch(() => undefined);
  }

  /** Resolves when the trace is on, or refused. */
  static async open(node: GatewayProcess, query: string): Promise<TraceReader> {
    const aborter = new AbortController();
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
    const response = await fetch(`${node.httpUrl}/api/trace?${query}`, { headers, signal: aborter.signal });
    return new TraceReader(response, aborter);
  }

  /** Resolves to the steps so far once there is one of this name. */
  async until(event: string, count = 1): Promise<readonly Step[]> {
    const found = (): boolean => this.steps.filter((step) => step.event === event).length >= count;
    await waitFor(found, { what: `${event}; there are ${this.steps.map((step) => step.event).join()}` });
    return this.steps;
  }

  close(): void {
    this.#aborter.abort();
  }

  async #read(body: ReadableStream<Uint8Array>): Promise<void> {
    let text = '';
    const decoder = new TextDecoder();
    for await (const piece of body) {
      text += decoder.decode(piece, { stream: true });
      const events = text.split('\n\n');
      text = events.pop()!;
      for (const event of events) this.#take(event);
    }
  }

  #take(event: string): void {
    const match = /^event: (.*)\ndata: (.*)$/.exec(event);
    if (match !== null) this.steps.push({ event: match[1]!, data: JSON.parse(match[2]!) as Step['data'] });
  }
}
