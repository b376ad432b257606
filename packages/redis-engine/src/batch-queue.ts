import type { EngineStats, Inbox, Logger } from '@ws-gateway/core';
import type { InboxState } from './inbox-state.js';
import type { RecentRecords } from './recent-records.js';
import { MessageDecoder } from './wire.js';

/**
 * What is handed over in one turn of the event loop. A record for 5,000 users comes in 125 batches, 16 of them in one
 * answer of Redis: handed over together they held the loop, and with it each handshake, for 8 ms.
 */
const TURN_MESSAGES = 128;
const TURN_BYTES = 256 * 1024;
/** More is not asked for while so much waits: some turns' work, in which Redis answers. */
const ENOUGH_MESSAGES = 1024;
const ENOUGH_BYTES = 1024 * 1024;

/** A numbered batch on its way to this node. */
export interface Batch {
  readonly inbox: InboxState;
  readonly number: number;
  /** Name of the Redis process that made it. */
  readonly server: number;
  /** Header and body of each message in turn. */
  readonly parts: readonly Buffer[];
  readonly bytes: number;
  /** Number of batches right before it that are lost. */
  readonly lost: number;
}

/** Listens to what becomes of inboxes, by their keys. */
export interface InboxListener {
  /** Batches were lost: told before anything behind them is handed over. */
  lost(key: string): void;
  /** Very much was handed over since the last check: Redis must hear of it, or takes it for unread. */
  swallowed(key: string): void;
}

export interface BatchQueueParts {
  readonly inbox: Inbox;
  readonly recent: RecentRecords;
  readonly stats: EngineStats;
  readonly logger: Logger;
}

/**
 * Hands batches of all inboxes to the node, first come first served: what is little at once, what is much in portions, one
 * in a turn of the loop. A batch counts as processed when all of it was handed over; until then Redis keeps it, so what
 * waits here is part of what may be unread in the inbox.
 */
export class BatchQueue {
  readonly #inbox: Inbox;
  readonly #stats: EngineStats;
  readonly #logger: Logger;
  readonly #listener: InboxListener;
  /** Bytes that were handed over from which on Redis is told at once. */
  readonly #swallowedBytes: number;
  readonly #decoder: MessageDecoder;
  readonly #batches: Batch[] = [];
  /** Place in the first batch from which on it is not handed over. */
  #at = 0;
  #waitingMessages = 0;
  #waitingBytes = 0;
  /** What the turn of the loop has been given; nobody tells when a turn without much to do ends, so it may be several. */
  #turnMessages = 0;
  #turnBytes = 0;
  /** The end of the turn is waited for. */
  #isTurnAwaited = false;
  /** Something was handed over, and the sockets were not flushed. */
  #isUnflushed = false;
  readonly #readers = new Set<() => void>();

  constructor(
    { inbox, recent, stats, logger }: BatchQueueParts,
    { listener, bytesMax }: { listener: InboxListener; bytesMax: number },
  ) {
    this.#inbox = inbox;
    this.#stats = stats;
    this.#logger = logger;
    this.#listener = listener;
    this.#swallowedBytes = bytesMax / 4;
    this.#decoder = new MessageDecoder(inbox, recent, stats);
  }

  /** So much waits that more had better stay in Redis. */
  get isFull(): boolean {
    return this.#waitingMessages > ENOUGH_MESSAGES || this.#waitingBytes > ENOUGH_BYTES;
  }

  /** Calls this reader once when the queue is not full any more. */
  whenRoom(reader: () => void): void {
    if (!this.#readers.has(reader)) this.#stats.inboxReadsPutOff++;
    this.#readers.add(reader);
  }

  add(batch: Batch): void {
    this.#batches.push(batch);
    this.#waitingMessages += batch.parts.length / 2;
    this.#waitingBytes += batch.bytes;
    this.#stats.inboxWaitingMessages = this.#waitingMessages;
  }

  /** Hands over what the turn of the loop has room for; what is left follows in the next turns. */
  handOver(): void {
    while (this.#batches.length > 0 && !this.#isTurnUsedBy(1)) this.#next();
    // A turn of its own for each small batch would cost more than the batch.
    if (this.#isTurnUsedBy(1 / 2)) this.#awaitTurn();
  }

  /** Flushes the sockets: the end of what came together, or of a turn. */
  flush(): void {
    if (!this.#isUnflushed) return;
    this.#isUnflushed = false;
    this.#inbox.endBatch();
  }

  /** Hands over all that waits: inboxes are about to begin anew, and what is in them then must not come before. */
  handOverAll(): void {
    while (this.#batches.length > 0) this.#next();
    this.flush();
  }

  clear(): void {
    this.#batches.length = 0;
    this.#at = 0;
    this.#waitingMessages = 0;
    this.#waitingBytes = 0;
    this.#stats.inboxWaitingMessages = 0;
    this.#isUnflushed = false;
    this.#readers.clear();
  }

  #isTurnUsedBy(share: number): boolean {
    return this.#turnMessages >= share * TURN_MESSAGES || this.#turnBytes >= share * TURN_BYTES;
  }

  /** Hands over one message. What is called may clear the queue. */
  #next(): void {
    const batch = this.#batches[0]!;
    const { parts, inbox, lost } = batch;
    const at = this.#at;
    if (at === 0 && lost > 0) this.#lose(inbox, lost);
    this.#at = at + 2;
    if (this.#at >= parts.length) this.#end(batch);
    this.#turnMessages++;
    this.#turnBytes += parts[at]!.length + parts[at + 1]!.length;
    this.#isUnflushed = true;
    this.#decoder.decode(parts, at, batch.server);
  }

  #end({ inbox, number, parts, bytes }: Batch): void {
    this.#batches.shift();
    this.#at = 0;
    this.#waitingMessages -= parts.length / 2;
    this.#waitingBytes -= bytes;
    this.#stats.inboxWaitingMessages = this.#waitingMessages;
    inbox.processed = number;
    inbox.bytesRead += bytes;
    if (inbox.bytesRead > this.#swallowedBytes) this.#listener.swallowed(inbox.key);
  }

  #lose({ key }: InboxState, batches: number): void {
    this.#stats.gapRepairs.add('lost');
    this.#logger.warn('inbox gap cannot be repaired', { batches });
    this.#listener.lost(key);
  }

  #awaitTurn(): void {
    if (this.#isTurnAwaited) return;
    this.#isTurnAwaited = true;
    setImmediate(() => this.#endTurn());
  }

  /** Runs behind what the turn has read, and so gives it only what is left of its share. */
  #endTurn(): void {
    this.handOver();
    this.flush();
    this.#turnMessages = 0;
    this.#turnBytes = 0;
    this.#isTurnAwaited = false;
    if (this.#batches.length > 0) this.#awaitTurn();
    if (this.isFull) return;
    const readers = [...this.#readers];
    this.#readers.clear();
    for (const read of readers) read();
  }
}
