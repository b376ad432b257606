import { fineNowMs } from '../fine-clock.js';
import { hexId, parseTraceparent, type SpanSink } from './span.js';

interface Delivered {
  readonly traceparent: string;
  readonly startMs: number;
  readonly stream: string;
  readonly connections: number;
}

/** The spans of a node: from a message's arrival in the inbox to the end of its batch, when its sockets have it. */
export class DeliverySpans {
  readonly #sink: SpanSink;
  readonly #node: string;
  #delivered: Delivered[] = [];

  constructor(sink: SpanSink, node: string) {
    this.#sink = sink;
    this.#node = node;
  }

  delivered(traceparent: string, stream: string, connections: number): void {
    this.#delivered.push({ traceparent, startMs: fineNowMs(), stream, connections });
  }

  endBatch(): void {
    if (this.#delivered.length === 0) return;
    const endMs = fineNowMs();
    for (const { traceparent, startMs, stream, connections } of this.#delivered) {
      const context = parseTraceparent(traceparent);
      if (context === null || context === 'unsampled') continue;
      const attributes = {
        'ws_gateway.node': this.#node,
        'ws_gateway.stream': stream,
        'ws_gateway.connections': connections,
      };
      this.#sink.add({ name: 'deliver', ...context, spanId: hexId(8), startMs, endMs, attributes });
    }
    this.#delivered = [];
  }
}
