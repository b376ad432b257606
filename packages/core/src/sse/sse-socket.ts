import { closeCodes } from '../close-codes.js';
import type { HttpStreamClient } from '../http-server.js';
import type { Pinged } from '../ping-wheel.js';
import type { StreamPosition } from '../streams.js';
import type { Socket, Transport } from '../transport.js';
import { EventPositions } from './event-id.js';
import { closeEvent, COMMENT, type EventBody } from './event-text.js';

/** Time in ms over which clients that are sent away come back; one that is told a time gets that. */
const RECONNECT_SPREAD_MS = 1000;
/**
 * An EventSource comes back with the token that has expired, and may be let in once more for as long as `auth.clockTolerance`
 * lasts: then not every second.
 */
const RETRY_EXPIRED_MS = 5000;
/** Bytes up to which events are put together into one piece; a longer one goes by itself, and all sockets share it. */
const PIECE_BYTES = 8 * 1024;

/** What a socket needs of its transport. */
export interface SseGroups extends Transport {
  join(group: string, socket: SseSocket): void;
  leave(group: string, socket: SseSocket): void;
  /** Has `flush` called at the end of this turn of the event loop. */
  flushLater(socket: SseSocket): void;
  /** The event of a frame; many sockets ask for that of the same one. */
  eventBody(frame: Uint8Array): EventBody;
}

/** The edge's view of one client of server-sent events: each frame is an event, with the position of all its streams. */
export class SseSocket implements Socket, Pinged {
  readonly transport: SseGroups;
  pingSlot = -1;
  readonly groups = new Set<string>();
  /** How it was ended; null: it is open, or the client went away. */
  ending: { readonly code: number; readonly reason: string } | null = null;
  #client: HttpStreamClient | null;
  #positions = new EventPositions([]);
  /** Events that wait for the end of the cork, or of the turn. */
  #events: { readonly head: string; readonly body: Uint8Array }[] = [];
  #corked = false;
  /** Time after which a client that is sent away shall come back; null: it was told none. */
  #afterMs: number | null = null;

  constructor(client: HttpStreamClient, transport: SseGroups) {
    this.#client = client;
    this.transport = transport;
  }

  begin(positions: readonly StreamPosition[]): void {
    this.#positions = new EventPositions(positions);
  }

  send(frame: Uint8Array | string): 'sent' | 'buffered' | 'closed' {
    if (this.#client === null) return 'closed';
    const bytes = typeof frame === 'string' ? Buffer.from(frame) : frame;
    this.add(this.transport.eventBody(bytes));
    if (!this.#corked) this.flush();
    return this.bufferedBytes() === 0 ? 'sent' : 'buffered';
  }

  /** Adds an event to those that leave with the next `flush`. */
  add({ position, bytes, comingBack }: EventBody): void {
    if (this.#client === null) return;
    if (position !== null) this.#positions.advance(position);
    this.#afterMs ??= comingBack?.after_ms ?? null;
    const spreadMs = comingBack?.reconnect_spread_ms;
    const retry = spreadMs === undefined ? '' : `retry: ${spread(spreadMs)}\n`;
    this.#events.push({ head: `${retry}id: ${this.#positions.text()}\n`, body: bytes });
  }

  cork(write: () => void): void {
    if (this.#corked) {
      write();
      return;
    }
    this.#corked = true;
    try {
      write();
    } finally {
      this.#corked = false;
      this.flush();
    }
  }

  /** Writes what was collected: small events as one piece. */
  flush(): void {
    if (this.#events.length === 0) return;
    const events = this.#events;
    this.#events = [];
    let from = 0;
    let bytes = 0;
    for (const [at, { head, body }] of events.entries()) {
      const size = head.length + body.length;
      if (bytes > 0 && bytes + size > PIECE_BYTES) {
        this.#write(events.slice(from, at), bytes);
        [from, bytes] = [at, 0];
      }
      bytes += size;
    }
    this.#write(from === 0 ? events : events.slice(from), bytes);
  }

  bufferedBytes(): number {
    return this.#client?.bufferedBytes() ?? 0;
  }

  join(group: string): void {
    this.groups.add(group);
    this.transport.join(group, this);
  }

  leave(group: string): void {
    this.groups.delete(group);
    this.transport.leave(group, this);
  }

  /** A comment: it keeps proxies from taking the connection for idle, and finds out when the client is gone. */
  ping(): void {
    this.#client?.write(COMMENT);
  }

  /** There is no answer to wait for. What is written meets the end of a connection whose other side says so. */
  probe(): void {
    this.ping();
  }

  end(code: number, reason: string): void {
    const client = this.#client;
    if (client === null) return;
    this.flush();
    this.#client = null;
    this.ending = { code, reason };
    const afterMs = this.#afterMs ?? spread(RECONNECT_SPREAD_MS);
    const retryMs = code === closeCodes.token_expired ? RETRY_EXPIRED_MS : afterMs;
    const id = code === closeCodes.session_replaced ? this.#positions.text(true) : null;
    client.write(closeEvent({ code, reason, after_ms: afterMs }, { retryMs, id }));
    client.end();
  }

  /** The client is gone. */
  detach(): void {
    this.#client = null;
    this.#events = [];
  }

  #write(events: readonly { readonly head: string; readonly body: Uint8Array }[], bytes: number): void {
    if (bytes > PIECE_BYTES) {
      for (const { head, body } of events) {
        this.#client?.write(head);
        this.#client?.write(body);
      }
      return;
    }
    const piece = Buffer.allocUnsafe(bytes);
    let at = 0;
    for (const { head, body } of events) {
      at += piece.write(head, at, 'latin1');
      piece.set(body, at);
      at += body.length;
    }
    this.#client?.write(piece);
  }
}

function spread(ms: number): number {
  return Math.floor(Math.random() * ms);
}
