import type { BackendLinkStats, CloseReason, PipeClient } from '@ws-gateway/core';

/** Something a backend is to be told. */
export interface LinkEvent {
  readonly event: 'open' | 'message' | 'close';
  readonly client: LinkClient;
  /** The members behind `connection`, with the comma before them. */
  readonly details: string;
  /** What it counts towards the bound. */
  readonly bytes: number;
}

interface LinkClient extends PipeClient {
  /** Its `open` went over the present link, or one before. */
  announced: boolean;
  /** Its `close` is in the queue. */
  left: boolean;
}

/** Beside the text: the event itself, and its place in the queue. */
const EVENT_BYTES = 128;

/**
 * What waits for one backend, in the order it happened. An event leaves the queue only when the link has taken it, so
 * that one which was not written when the link broke is still there for the next.
 *
 * Messages and `open` are refused over the bounds. `close` is not: there is at most one for each `open` that was taken,
 * and a backend that is not told of it would keep the user for ever.
 */
export class EventQueue {
  readonly #stats: BackendLinkStats;
  readonly #bounds: { readonly queueBytes: number; readonly queueEvents: number };
  readonly #clients = new Map<string, LinkClient>();
  #events: LinkEvent[] = [];
  /** Those before it were taken by the link. */
  #head = 0;

  constructor(stats: BackendLinkStats, bounds: { queueBytes: number; queueEvents: number }) {
    this.#stats = stats;
    this.#bounds = bounds;
  }

  get length(): number {
    return this.#events.length - this.#head;
  }

  open({ user, connection }: PipeClient): boolean {
    if (this.#isFull(EVENT_BYTES)) return false;
    const client = { user, connection, announced: false, left: false };
    this.#clients.set(connection, client);
    this.#add({ event: 'open', client, details: '', bytes: EVENT_BYTES });
    return true;
  }

  /** `message` is JSON text. */
  message({ connection }: PipeClient, message: string): boolean {
    const client = this.#clients.get(connection);
    const bytes = Buffer.byteLength(message) + EVENT_BYTES;
    if (client === undefined || this.#isFull(bytes)) return false;
    this.#add({ event: 'message', client, details: `,"message":${message}`, bytes });
    return true;
  }

  close({ connection }: PipeClient, { code, reason }: CloseReason): void {
    const client = this.#clients.get(connection);
    if (client === undefined || client.left) return;
    client.left = true;
    const details = `,"code":${code},"reason":${JSON.stringify(reason)}`;
    this.#add({ event: 'close', client, details, bytes: 0 });
  }

  /** The next one to write, which stays until it is `taken`. */
  get first(): LinkEvent | undefined {
    return this.#events[this.#head];
  }

  taken(): void {
    const event = this.first;
    if (event === undefined) throw new Error('an event was taken that was not there');
    this.#head++;
    const { client } = event;
    this.#stats.events.add(event.event);
    this.#stats.waitingBytes -= event.bytes;
    if (event.event === 'open') client.announced = true;
    if (event.event === 'close') this.#clients.delete(client.connection);
    if (this.#head > 1024 && this.#head * 2 > this.#events.length) this.#compact(this.#events.slice(this.#head));
    this.#count();
  }

  /**
   * The link broke: the next one begins with an `open` for each client that the backend was told of, because a backend
   * that was started again knows nobody. What was not taken follows.
   */
  rewind(): void {
    const opens: LinkEvent[] = [];
    for (const client of this.#clients.values()) {
      if (!client.announced) continue;
      client.announced = false;
      opens.push({ event: 'open', client, details: '', bytes: 0 });
    }
    this.#compact(opens.concat(this.#events.slice(this.#head)));
    this.#count();
  }

  /** Forgets all clients and what they said. */
  clear(): void {
    this.#clients.clear();
    this.#compact([]);
    this.#stats.waitingBytes = 0;
    this.#count();
  }

  #isFull(bytes: number): boolean {
    const { queueBytes, queueEvents } = this.#bounds;
    return this.length >= queueEvents || this.#stats.waitingBytes + bytes > queueBytes;
  }

  #add(event: LinkEvent): void {
    this.#events.push(event);
    this.#stats.waitingBytes += event.bytes;
    this.#count();
  }

  #compact(events: LinkEvent[]): void {
    this.#events = events;
    this.#head = 0;
  }

  #count(): void {
    this.#stats.waitingEvents = this.length;
    this.#stats.clients = this.#clients.size;
  }
}

/** The JSON that is sent over the link; its format is docs/backend-links.md. */
export function eventText({ event, client, details }: LinkEvent): string {
  const { user, connection } = client;
  return `{"user":${JSON.stringify(user)},"event":"${event}","connection":${JSON.stringify(connection)}${details}}`;
}
