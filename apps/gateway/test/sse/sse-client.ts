import { request, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { waitFor, type Frame } from '@ws-gateway/testkit';

export interface SseEvent {
  readonly event: string;
  /** Id of the last event that had one, this one included. */
  readonly id: string;
  readonly data: string;
  readonly retry: number | null;
}

export interface SseRefused {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly error: Readonly<Record<string, unknown>>;
}

/** A client of server-sent events, written from the standard's text: keeps all it gets. */
export class SseClient {
  readonly events: SseEvent[] = [];
  comments = 0;
  /** All bytes of the body. */
  bytes = 0;
  /** Resolves when the answer has come to its end; false: it was broken off. */
  readonly ended: Promise<boolean>;
  readonly #response: IncomingMessage;
  #rest = '';
  #fields: { event: string; data: string[]; retry: number | null } = { event: '', data: [], retry: null };
  #id = '';

  private constructor(response: IncomingMessage) {
    this.#response = response;
    response.setEncoding('utf8');
    response.on('data', (text: string) => this.#read(text));
    this.ended = new Promise((resolve) => response.once('close', () => resolve(response.complete)));
    response.on('error', () => undefined);
  }

  static async open(url: string, headers: Readonly<Record<string, string>> = {}): Promise<SseClient> {
    const response = await get(url, headers);
    if (response.statusCode !== 200) throw new Error(`refused with ${response.statusCode}: ${await textOf(response)}`);
    return new SseClient(response);
  }

  static async refused(url: string, headers: Readonly<Record<string, string>> = {}): Promise<SseRefused> {
    const response = await get(url, headers);
    if (response.statusCode === 200) throw new Error('was let in');
    const { error } = JSON.parse(await textOf(response)) as { error: Record<string, unknown> };
    return { status: response.statusCode!, headers: response.headers, error };
  }

  get headers(): IncomingHttpHeaders {
    return this.#response.headers;
  }

  get frames(): Frame[] {
    return this.events.filter(({ event }) => event !== 'close').map(({ data }) => JSON.parse(data) as Frame);
  }

  /** Payloads of what was pushed. */
  get payloads(): unknown[] {
    return this.frames.filter((frame) => frame['status'] === 'update').map((frame) => frame['payload']);
  }

  get lastId(): string {
    return this.events.at(-1)!.id;
  }

  async next(event: string, timeoutMs = 20_000): Promise<SseEvent> {
    return waitFor(() => this.events.find((one) => one.event === event), { what: `event ${event}`, timeoutMs });
  }

  async count(payloads: number, timeoutMs = 30_000): Promise<void> {
    await waitFor(() => this.payloads.length >= payloads, { what: `${payloads} messages`, timeoutMs });
  }

  /** Stops to read, so that the kernel's buffers fill. */
  pause(): void {
    this.#response.pause();
  }

  resume(): void {
    this.#response.resume();
  }

  close(): void {
    this.#response.destroy();
  }

  #read(text: string): void {
    this.bytes += Buffer.byteLength(text);
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop()!;
    for (const line of lines) this.#line(line);
  }

  #line(line: string): void {
    if (line.includes('\r')) throw new Error('a CR in a line');
    if (line === '') return this.#dispatch();
    if (line.startsWith(':')) return void this.comments++;
    const colon = line.indexOf(':');
    const field = line.slice(0, colon);
    const value = line.slice(colon + 1).replace(/^ /, '');
    if (field === 'data') this.#fields.data.push(value);
    else if (field === 'event') this.#fields.event = value;
    else if (field === 'id') this.#id = value;
    else if (field === 'retry') this.#fields.retry = Number(value);
    else throw new Error(`unknown field: ${line.slice(0, 100)}`);
  }

  #dispatch(): void {
    const { event, data, retry } = this.#fields;
    this.#fields = { event: '', data: [], retry: null };
    if (data.length === 0) return;
    this.events.push({ event, id: this.#id, data: data.join('\n'), retry });
  }
}

async function get(url: string, headers: Readonly<Record<string, string>>): Promise<IncomingMessage> {
  const sent = request(url, { headers: { accept: 'text/event-stream', ...headers }, agent: false });
  sent.end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return response;
}

async function textOf(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of response) text += String(chunk);
  return text;
}
