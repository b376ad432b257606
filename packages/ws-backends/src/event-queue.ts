import type { BackendLinkStats, CloseReason, PipeClient } from '@ws-gateway/core';
import { WeightClasses } from './weight-classes.js';

/** Something a backend is to be told. */
export interface LinkEvent {
  readonly event: 'open' | 'message' | 'close';
  readonly client: LinkClient;
  /** The members behind `connection`, with the comma before them. */
  readonly details: string;
  /** Bytes that it counts towards the bound. */
  readonly bytes: number;
}

interface LinkClient extends PipeClient {
  /** Its `open` went over the present link, or one before. */
  announced: boolean;
  /** Its `close` is in the queue. */
  left: boolean;
  /** Bytes of it that wait. */
  bytes: number;
  events: number;
}

/** Beside the text: the event itself, and its place in the queue. */
const EVENT_BYTES = 128;

/** Part of the bounds that one client may have waiting, but never so little that a few frames do not fit. */
const CLIENTS_SHARE = 1 / 8;
const SHARE_BYTES_MIN = 64 * 1024;
const SHARE_EVENTS_MIN = 100;

interface QueueBounds {
  readonly queueBytes: number;
  readonly queueEvents: number;
}

/**
 * Holds what waits for one backend, in the order it happened. An event leaves the queue only when the link has taken
 * it, so that one which was not written when the link broke is still there for the next. Messages and `open` are
 * refused over the bounds. The bounds are shared: none of the clients has more than a part of them, and when they are
 * reached whoever has far more waiting than the one that needs room gives way: what it said is dropped, and it is to be
 * closed. So nobody is refused for what another one sends. `close` is never refused: there is at most one for each
 * `open` that was taken, and a backend that is not told of it would keep the user for ever.
 */
export class EventQueue {
  readonly #stats: BackendLinkStats;
  readonly #bounds: QueueBounds;
  readonly #shares: QueueBounds;
  readonly #onOverflow: (client: PipeClient) => void;
  readonly #clients = new Map<string, LinkClient>();
  readonly #byWeight = new WeightClasses<LinkClient>();
  #events: LinkEvent[] = [];
  /** Index of the first event; those before it were taken by the link. */
  #head = 0;

  /** `onOverflow` is told of a client that gave way; it may be called while another one's message is taken. */
  constructor(stats: BackendLinkStats, bounds: QueueBounds, onOverflow: (client: PipeClient) => void) {
    const { queueBytes, queueEvents } = bounds;
    this.#stats = stats;
    this.#bounds = bounds;
    this.#shares = {
      queueBytes: Math.max(queueBytes * CLIENTS_SHARE, Math.min(queueBytes, SHARE_BYTES_MIN)),
      queueEvents: Math.max(queueEvents * CLIENTS_SHARE, Math.min(queueEvents, SHARE_EVENTS_MIN)),
    };
    this.#onOverflow = onOverflow;
  }

  get length(): number {
    return this.#events.length - this.#head;
  }

  open({ user, connection }: PipeClient): boolean {
    if (!this.#makeRoom(EVENT_BYTES, EVENT_BYTES)) return false;
    const client = { user, connection, announced: false, left: false, bytes: 0, events: 0 };
    this.#clients.set(connection, client);
    this.#add({ event: 'open', client, details: '', bytes: EVENT_BYTES });
    return true;
  }

  /** `message` is JSON text. */
  message({ connection }: PipeClient, message: string): boolean {
    const client = this.#clients.get(connection);
    if (client === undefined || client.left) return false;
    const bytes = Buffer.byteLength(message) + EVENT_BYTES;
    const { queueBytes, queueEvents } = this.#shares;
    if (client.bytes + bytes > queueBytes || client.events >= queueEvents) return false;
    if (!this.#makeRoom(bytes, client.bytes + bytes)) return false;
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
    this.#weigh(event, -1);
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
      const open: LinkEvent = { event: 'open', client, details: '', bytes: 0 };
      opens.push(open);
      this.#weigh(open, 1);
    }
    this.#compact(opens.concat(this.#events.slice(this.#head)));
    this.#count();
  }

  /** Forgets all clients and what they said. */
  clear(): void {
    this.#clients.clear();
    this.#byWeight.clear();
    this.#compact([]);
    this.#stats.waitingBytes = 0;
    this.#count();
  }

  #isFull(bytes: number): boolean {
    const { queueBytes, queueEvents } = this.#bounds;
    return this.length >= queueEvents || this.#stats.waitingBytes + bytes > queueBytes;
  }

  /** `weight`: what the one that needs room has waiting then. Only somebody with far more gives way. */
  #makeRoom(bytes: number, weight: number): boolean {
    while (this.#isFull(bytes)) {
      const heaviest = this.#byWeight.heavierThan(weight);
      if (heaviest === undefined) return false;
      this.#drop(heaviest);
    }
    return true;
  }

  /** Drops a client's events. What the link has in its hands, the first one, stays: it may be written already. */
  #drop(client: LinkClient): void {
    const isDropped = (event: LinkEvent, at: number): boolean =>
      at > 0 && event.client === client && event.event === 'message';
    const waiting = this.#events.slice(this.#head);
    for (const event of waiting.filter(isDropped)) this.#weigh(event, -1);
    this.#compact(waiting.filter((event, at) => !isDropped(event, at)));
    // Not to be found again for what could not be dropped.
    this.#byWeight.move(client, client.bytes, 0);
    this.#count();
    if (!client.left) this.#onOverflow(client);
  }

  #add(event: LinkEvent): void {
    this.#events.push(event);
    this.#weigh(event, 1);
    this.#count();
  }

  #weigh({ client, bytes }: LinkEvent, sign: 1 | -1): void {
    this.#stats.waitingBytes += sign * bytes;
    this.#byWeight.move(client, client.bytes, client.bytes + sign * bytes);
    client.bytes += sign * bytes;
    client.events += sign;
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
