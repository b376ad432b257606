import type { Span, SpanSink } from '@ws-gateway/core';
import { JsonEndpoint, type PostFailure } from './json-endpoint.js';

export interface OtlpExporterOptions {
  /** Whole address of the receiver, such as `http://host:4318/v1/traces`; credentials in it are sent as HTTP authentication. */
  readonly url: string;
  /** See SpanSink. */
  readonly ratio: number;
  readonly inFrames: boolean;
  /** What the process is called: `service.instance.id`. */
  readonly node: string;
  readonly version: string;
  /** Told when the receiver begins to fail, with the reason, and when it takes spans again. */
  readonly onFailing: (reason: string) => void;
  readonly onFlowing: () => void;
}

/** Spans that may wait; more are dropped and counted. */
const SPANS_MAX = 10_000;
const BATCH_MAX = 512;
/** Time in ms over which spans are collected. */
const COLLECT_MS = 1000;
const REQUEST_TIMEOUT_MS = 5000;
/** Time limit in ms of the last request: a stop does not wait long for a receiver. */
const LAST_REQUEST_TIMEOUT_MS = 2000;

/** Kinds of https://github.com/open-telemetry/opentelemetry-proto: internal, consumer. */
const KINDS = { consume: 5, route: 1, deliver: 1 } as const;

/**
 * Sends spans by OTLP/HTTP in JSON (https://opentelemetry.io/docs/specs/otlp/#otlphttp), one request at a time. Nobody
 * waits for it: a receiver that is slow or away costs spans, never memory or time.
 */
export class OtlpExporter implements SpanSink {
  readonly ratio: number;
  readonly inFrames: boolean;
  sent = 0;
  dropped = 0;
  readonly #options: OtlpExporterOptions;
  readonly #endpoint: JsonEndpoint;
  #waiting: Span[] = [];
  #timer: NodeJS.Timeout | null = null;
  #sending: Promise<void> | null = null;
  #failing = false;

  constructor(options: OtlpExporterOptions) {
    this.#options = options;
    this.#endpoint = new JsonEndpoint(options.url);
    this.ratio = options.ratio;
    this.inFrames = options.inFrames;
  }

  add(span: Span): void {
    if (this.#waiting.length >= SPANS_MAX) {
      this.dropped++;
      return;
    }
    this.#waiting.push(span);
    this.#sendLater();
  }

  /** Tries to send what waits, then gives up. Never rejects. */
  async stop(): Promise<void> {
    await this.#sending;
    while (this.#waiting.length > 0 && !this.#failing) {
      // Behind a full batch the next one is under way by itself.
      if (this.#sending === null) this.#send(LAST_REQUEST_TIMEOUT_MS);
      await this.#sending;
    }
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.dropped += this.#waiting.length;
    this.#waiting = [];
  }

  /** A full batch goes at once, else what can be sent in a second would be the limit of all; not to a receiver that fails. */
  #sendLater(): void {
    if (this.#sending !== null) return;
    if (this.#waiting.length >= BATCH_MAX && !this.#failing) this.#send(REQUEST_TIMEOUT_MS);
    else this.#timer ??= setTimeout(() => this.#send(REQUEST_TIMEOUT_MS), COLLECT_MS).unref();
  }

  #send(timeoutMs: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const batch = this.#waiting.splice(0, BATCH_MAX);
    this.#sending = this.#endpoint.post(requestOf(batch, this.#options), timeoutMs).then((failure) => {
      this.#sending = null;
      this.#note(batch.length, failure);
      if (this.#waiting.length > 0) this.#sendLater();
    });
  }

  /** A batch that was not taken is not sent again: it may have been taken all the same, and spans are a sample anyway. */
  #note(spans: number, failure: PostFailure | null): void {
    if (failure === null) this.sent += spans;
    else this.dropped += spans;
    if (failure !== null && !this.#failing) this.#options.onFailing(failure.reason);
    if (failure === null && this.#failing) this.#options.onFlowing();
    this.#failing = failure !== null;
  }
}

function requestOf(batch: readonly Span[], { node, version }: OtlpExporterOptions): object {
  const resource = { 'service.name': 'ws-gateway', 'service.instance.id': node, 'service.version': version };
  const scope = { name: 'ws-gateway', version };
  return {
    resourceSpans: [
      {
        resource: { attributes: attributesOf(resource) },
        scopeSpans: [{ scope, spans: batch.map(toOtlp) }],
      },
    ],
  };
}

function toOtlp({ name, traceId, spanId, parentId, startMs, endMs, attributes }: Span): object {
  return {
    traceId,
    spanId,
    ...(parentId === '' ? {} : { parentSpanId: parentId }),
    name,
    kind: KINDS[name],
    startTimeUnixNano: nanoseconds(startMs),
    endTimeUnixNano: nanoseconds(endMs),
    attributes: attributesOf(attributes),
  };
}

/** 64-bit numbers are texts in the JSON of Protocol Buffers. */
function attributesOf(attributes: Readonly<Record<string, string | number>>): object[] {
  return Object.entries(attributes).map(([key, value]) => ({
    key,
    value: typeof value === 'string' ? { stringValue: value } : { intValue: String(value) },
  }));
}

function nanoseconds(ms: number): string {
  return String(BigInt(Math.round(ms * 1000)) * 1000n);
}
