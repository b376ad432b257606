import { fineNowMs } from '../fine-clock.js';
import { traceparentOf, type Span, type SpannedRecord, type SpanSink } from './span.js';

interface SpanOrigin {
  /** Kafka's name of the topic. */
  readonly topic: string;
  readonly partition: number;
}

/** The spans of a router: of a chunk's records that are sampled, which are few. */
export class RecordSpans {
  readonly #sink: SpanSink;
  readonly #origin: SpanOrigin;
  readonly #records: SpannedRecord[] = [];

  constructor(sink: SpanSink, origin: SpanOrigin) {
    this.#sink = sink;
    this.#origin = origin;
  }

  /** From its producer's clock to here: the wait in Kafka, and in this router behind the records before it. */
  consumed(spanned: SpannedRecord): void {
    this.#records.push(spanned);
    const endMs = fineNowMs();
    // The producer's clock may be ahead, or it has none: a time before 1970 cannot be said, and costs the whole batch.
    const { timestamp } = spanned.record;
    const startMs = timestamp > 0 ? Math.min(timestamp, endMs) : endMs;
    const { context, consumeId } = spanned;
    this.#sink.add({ ...this.#spanOf('consume', spanned), ...context, spanId: consumeId, startMs, endMs });
  }

  /** From the call of the engine, which finds the nodes and puts the message into their inboxes, to its answer. */
  routed(startMs: number): void {
    const endMs = fineNowMs();
    for (const spanned of this.#records) {
      const { context, consumeId: parentId, routeId: spanId } = spanned;
      this.#sink.add({ ...this.#spanOf('route', spanned), traceId: context.traceId, parentId, spanId, startMs, endMs });
    }
  }

  #spanOf(name: 'consume' | 'route', { record }: SpannedRecord): Pick<Span, 'name' | 'attributes'> {
    const { topic, partition } = this.#origin;
    // https://opentelemetry.io/docs/specs/semconv/messaging/kafka/
    const attributes = {
      'messaging.system': 'kafka',
      'messaging.destination.name': topic,
      'messaging.destination.partition.id': String(partition),
      'messaging.kafka.offset': record.offset,
    };
    return { name, attributes };
  }
}

/** What decoding a sampled record needs besides. */
export function spanMembers(spanned: SpannedRecord, { inFrames }: SpanSink): { trace: string; inFrame: boolean } {
  return { trace: traceparentOf(spanned), inFrame: inFrames };
}
