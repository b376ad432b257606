import { EventStreamReader, type StreamEvent } from './event-stream.js';
import { isRecord } from './frames.js';
import {
  CODE_ABNORMAL,
  GatewayConnection,
  type ConnectionHandlers,
  type ConnectionOptions,
} from './gateway-connection.js';
import type { SseHandshake } from './handshake.js';
import { refusalOfAnswer } from './refusal.js';

const STATUS_OK = 200;

/**
 * Server-sent events, by `fetch`: unlike EventSource it shows the status and the reason of a refusal, carries the token
 * in a header, and leaves it to the client when to come back. Frames come one way; there are no commands.
 */
export class SseConnection extends GatewayConnection {
  readonly transport = 'sse';
  readonly #reader = new EventStreamReader();
  readonly #abort = new AbortController();

  constructor(handshake: SseHandshake, handlers: ConnectionHandlers, options: ConnectionOptions) {
    super(handlers, options);
    this.#run(handshake).catch((error: unknown) => {
      this.end({ code: CODE_ABNORMAL, reason: error instanceof Error ? error.message : String(error) });
    });
  }

  send(): boolean {
    return false;
  }

  close(end: { readonly code: number; readonly reason: string }): void {
    if (this.isEnded) return;
    this.end(end);
    this.cut();
  }

  protected cut(): void {
    this.#abort.abort();
  }

  async #run({ url, headers }: SseHandshake): Promise<void> {
    // A constant of its own: the types of Node's fetch do not have `cache`.
    const init = { headers, cache: 'no-store', credentials: 'omit', signal: this.#abort.signal } as const;
    const response = await fetch(url, init);
    const type = response.headers.get('content-type') ?? '';
    if (response.status !== STATUS_OK || !type.startsWith('text/event-stream') || response.body === null) {
      const retryAfter = response.headers.get('retry-after');
      const refusal = refusalOfAnswer(response.status, await response.text(), retryAfter);
      this.refused(refusal, { code: CODE_ABNORMAL, reason: refusal.message });
      return;
    }
    await this.#read(response.body);
    this.end({ code: CODE_ABNORMAL, reason: 'the stream ended' });
  }

  async #read(body: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    const reader = body.getReader();
    while (true) {
      const { done, value } = await reader.read();
      if (done || this.isEnded) return;
      this.heard();
      for (const event of this.#reader.read(decoder.decode(value, { stream: true }))) this.#event(event);
    }
  }

  #event({ event, data }: StreamEvent): void {
    const close = event === 'close' ? closeOf(data) : null;
    if (close === null) {
      this.received(data);
      return;
    }
    this.end(close);
    this.cut();
  }
}

/** null: a frame, of a topic with that name. */
function closeOf(data: string): { code: number; reason: string; afterMs: number | null } | null {
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch {
    // Whoever reads it as a frame will say that it is none.
    return null;
  }
  if (!isRecord(value) || 'rid' in value) return null;
  const { code, reason, after_ms: afterMs } = value;
  return {
    code: typeof code === 'number' ? code : CODE_ABNORMAL,
    reason: typeof reason === 'string' ? reason : '',
    afterMs: typeof afterMs === 'number' ? afterMs : null,
  };
}
