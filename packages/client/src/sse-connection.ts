import { EventStreamReader } from './event-stream.js';
import { GatewayConnection, type ConnectionHandlers, type ConnectionOptions } from './gateway-connection.js';
import type { Handshake } from './handshake.js';
import { refusedByAnswer } from './refusal.js';

/**
 * Server-sent events, by `fetch`: unlike EventSource it shows the status and the reason of a refusal, carries the token
 * in a header, and leaves it to the client when to come back. Frames come one way; there are no commands.
 */
export class SseConnection extends GatewayConnection {
  readonly transport = 'sse';
  readonly #abort = new AbortController();

  constructor(handshake: Handshake, handlers: ConnectionHandlers, options: ConnectionOptions) {
    super(handlers, options);
    // Each runtime has other words for how it broke, and none is for people.
    const broken = () => this.abandon('');
    this.#run(handshake).then(broken, broken);
  }

  send(): boolean {
    return false;
  }

  protected leave(): void {
    this.cut();
  }

  protected cut(): void {
    this.#abort.abort();
  }

  async #run({ url, bearer }: Handshake): Promise<void> {
    const headers = { accept: 'text/event-stream', ...(bearer && { authorization: `Bearer ${bearer}` }) };
    // A constant of its own: the types of Node's fetch do not have `cache`.
    const init = { headers, cache: 'no-store', credentials: 'omit', signal: this.#abort.signal } as const;
    const response = await fetch(url, init);
    const type = response.headers.get('content-type') ?? '';
    if (!response.ok || !type.startsWith('text/event-stream')) {
      const refused = refusedByAnswer(response.status, await response.text(), response.headers.get('retry-after'));
      this.refused(refused);
      this.abandon(refused.message);
      return;
    }
    const decoder = new TextDecoder();
    const events = new EventStreamReader();
    const reader = response.body!.getReader();
    while (true) {
      const { done, value } = await reader.read();
      if (done || this.isEnded) return;
      this.heard();
      for (const data of events.read(decoder.decode(value, { stream: true }))) this.received(data);
    }
  }
}
