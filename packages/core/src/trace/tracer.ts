import type { PublishBatch, PublishItem, PublishResult } from '../engine.js';
import type { StreamMessage } from '../inbox.js';
import type { Connection, Subscription } from '../edge/delivery/connection.js';
import type { SourceRecord } from '../record-source.js';
import { userOfStream } from '../streams.js';
import { fineNowMs } from '../fine-clock.js';
import { placeOf, pushedMessage, type PushedMessage } from './pushed-frame.js';
import { audienceText, streamText } from './audience-text.js';
import type { TraceData, TraceEvent, TraceStep, TraceSubject } from './trace-command.js';

/** A trace as the parts of a node see it. */
export interface TraceSink {
  readonly subject: TraceSubject;
  add(step: TraceStep): void;
}

/** Places of traced messages that are remembered, to know them when they are acknowledged. */
const PLACES_MAX = 1000;
/** Users or subscriptions of one record that its step names. */
const AUDIENCE_NAMES_MAX = 3;

export interface TracedRecord {
  readonly topic: string;
  readonly partition: number;
  readonly record: SourceRecord;
  readonly items: readonly PublishItem[];
  /** Why there are no items; null: there are. */
  readonly reason: { readonly code: string; readonly message: string } | null;
}

/** Tells of what concerns the traces that are on: made with the first of them, gone with the last. */
export class Tracer {
  readonly #node: string;
  /** By the id of the trace. */
  readonly #sinks = new Map<string, TraceSink>();
  readonly #places = new Map<TraceSink, Map<string, number>>();

  constructor(node: string) {
    this.#node = node;
  }

  get size(): number {
    return this.#sinks.size;
  }

  set(id: string, sink: TraceSink): void {
    this.#sinks.set(id, sink);
  }

  delete(id: string): void {
    const sink = this.#sinks.get(id);
    this.#sinks.delete(id);
    if (sink !== undefined) this.#places.delete(sink);
  }

  /** A record was decoded, or could not be. */
  record(traced: TracedRecord): void {
    const { topic, partition, record, items, reason } = traced;
    const { offset } = record;
    for (const sink of this.#sinks.values()) {
      const item = items.find((candidate) => this.#concerns(sink.subject, candidate));
      if (item === undefined && !(items.length === 0 && names(record, sink.subject))) continue;
      const what =
        reason === null
          ? { audience: audienceText(items, AUDIENCE_NAMES_MAX) }
          : { reason: reason.code, message: reason.message };
      const about = item === undefined ? sink.subject : aboutItem(item);
      this.#tell(sink, 'record', { ...about, topic, partition, offset, ...what });
    }
  }

  /** Publishes, and tells to how many nodes what concerns a trace went. */
  async publish(batch: PublishBatch, publish: (batch: PublishBatch) => Promise<PublishResult>): Promise<PublishResult> {
    const traced = [...this.#sinks.values()].flatMap((sink) =>
      batch.items.flatMap((item, at) =>
        // What was too old goes to nobody, wherever its user is: the step `record` has said so.
        item.kind !== 'expired' && this.#concerns(sink.subject, item) ? [{ sink, item, at }] : [],
      ),
    );
    if (traced.length === 0) return publish(batch);
    const atMs = fineNowMs();
    const result = await publish({ ...batch, perItem: true });
    const { source } = batch;
    for (const { sink, item, at } of traced) {
      const outcome = result.items?.[at];
      // It was applied before, and told of then.
      if (outcome === undefined) continue;
      const { nodes, position } = outcome;
      const from = source === null ? {} : { partition: source.partition, offset: item.sourceOffset };
      const data = { ...aboutItem(item), ...streamText(item), ...from, ...(position !== null && { position }) };
      if (nodes > 0) this.#tell(sink, 'routed', { ...data, nodes }, atMs);
      else this.#tell(sink, 'offline', data, atMs);
    }
    return result;
  }

  /** Frames were handed to a socket. */
  sent(connection: Connection, frames: readonly Uint8Array[]): void {
    for (const frame of frames) this.#frame('sent', connection, frame, { queued_bytes: queuedBytes(connection) });
  }

  /** A frame was handed to the transport for many sockets. */
  sentToMany(members: readonly Subscription[], frame: Uint8Array): void {
    const message = pushedMessage(frame);
    if (message === null) return;
    for (const sink of this.#sinks.values()) {
      const { subject } = sink;
      const about = { id: message.id, topic: message.topic };
      if ('id' in subject) {
        if (subject.id === message.id) this.#tell(sink, 'sent', { ...about, connections: members.length });
        continue;
      }
      for (const { connection } of members) {
        if (connection.user !== subject.user) continue;
        const at = { connection: connection.id, queued_bytes: queuedBytes(connection) };
        this.#tell(sink, 'sent', { ...about, user: subject.user, ...at });
      }
    }
  }

  /** A frame waits for a socket that does not keep up. */
  slow(connection: Connection, frame: Uint8Array): void {
    this.#frame('slow', connection, frame, { queued_bytes: queuedBytes(connection) });
  }

  /** A frame was given up for a socket, by a policy or the end of its connection. */
  dropped(connection: Connection, frame: Uint8Array, reason: string): void {
    this.#frame('dropped', connection, frame, { reason });
  }

  /** A message for a user's own stream came, and none of the user's connections here is subscribed to it. */
  unsubscribed({ stream, frame }: StreamMessage): void {
    const message = pushedMessage(frame);
    const user = userOfStream(stream);
    if (message === null || user === null) return;
    for (const sink of this.#sinks.values()) {
      if (!isAbout(sink.subject, user, message)) continue;
      this.#tell(sink, 'dropped', { ...message, user, reason: 'not_subscribed' });
    }
  }

  /** History was read for a connection. */
  replayed(connection: Connection, frames: readonly { readonly frame: Uint8Array }[]): void {
    for (const { frame } of frames) this.#frame('replayed', connection, frame, {});
  }

  acked(connection: Connection, stream: string, offset: number): void {
    for (const sink of this.#sinks.values()) {
      const data = { connection: connection.id, stream, offset };
      if ('user' in sink.subject) {
        if (sink.subject.user === connection.user) this.#tell(sink, 'acked', { user: connection.user, ...data });
      } else if ((this.#places.get(sink)?.get(stream) ?? Infinity) <= offset) {
        this.#tell(sink, 'acked', { id: sink.subject.id, user: connection.user, ...data });
      }
    }
  }

  connected(connection: Connection): void {
    const { endpoint, address, agent } = connection;
    const topics = [...connection.namesOf('topic')];
    this.#connection('connected', connection, { endpoint: endpoint.path, address, agent, topics });
  }

  closed(connection: Connection, code: number, reason: string): void {
    this.#connection('closed', connection, { code, reason });
  }

  /** `users`: who it was, or who it says it is. */
  refused(users: readonly string[], refusal: { code: string; message: string; address: string }): void {
    for (const sink of this.#sinks.values()) {
      if (!('user' in sink.subject) || !users.includes(sink.subject.user)) continue;
      const { code: reason, message, address } = refusal;
      this.#tell(sink, 'refused', { user: sink.subject.user, reason, message, address });
    }
  }

  #connection(event: TraceEvent, connection: Connection, data: object): void {
    for (const sink of this.#sinks.values()) {
      if (!('user' in sink.subject) || sink.subject.user !== connection.user) continue;
      this.#tell(sink, event, { user: connection.user, connection: connection.id, ...data });
    }
  }

  #frame(event: TraceEvent, connection: Connection, frame: Uint8Array, data: object): void {
    const message = pushedMessage(frame);
    if (message === null) return;
    for (const sink of this.#sinks.values()) {
      if (!isAbout(sink.subject, connection.user, message)) continue;
      if ('id' in sink.subject) this.#remember(sink, frame);
      this.#tell(sink, event, { ...message, user: connection.user, connection: connection.id, ...data });
    }
  }

  #remember(sink: TraceSink, frame: Uint8Array): void {
    const place = placeOf(frame);
    if (place === null) return;
    let places = this.#places.get(sink);
    if (places === undefined) this.#places.set(sink, (places = new Map()));
    if (places.size < PLACES_MAX) places.set(place.stream, place.offset);
  }

  #concerns(subject: TraceSubject, item: PublishItem): boolean {
    if ('user' in subject) return 'user' in item && item.user === subject.user;
    return pushedMessage(item.head)?.id === subject.id;
  }

  #tell(sink: TraceSink, event: TraceEvent, data: Partial<TraceData>, atMs = fineNowMs()): void {
    const { id = null, user = null, ...rest } = data;
    const timestamp = new Date(atMs).toISOString();
    sink.add({ event, atMs, data: { id, user, node: this.#node, timestamp, ...rest } });
  }
}

function isAbout(subject: TraceSubject, user: string | null, message: PushedMessage): boolean {
  return 'user' in subject ? subject.user === user : subject.id === message.id;
}

function aboutItem(item: PublishItem): { id: string | null; user: string | null } {
  return { id: pushedMessage(item.head)?.id ?? null, user: 'user' in item ? item.user : null };
}

/** A record that could not be decoded concerns whom its key, its id's header or its text names. */
function names({ key, value, headers }: SourceRecord, subject: TraceSubject): boolean {
  const wanted = 'user' in subject ? subject.user : subject.id;
  const header = 'id' in subject ? headers['ws-id'] : headers['ws-audience'];
  if (key?.toString() === wanted || header?.toString().includes(wanted) === true) return true;
  return value !== null && value.includes(JSON.stringify(wanted));
}

function queuedBytes({ socket, slowQueue }: Connection): number {
  return (socket?.bufferedBytes() ?? 0) + (slowQueue?.bytes ?? 0);
}
