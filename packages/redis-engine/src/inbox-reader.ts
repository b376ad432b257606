import { setTimeout as delay } from 'node:timers/promises';
import { EngineError, type EngineStats, type Inbox, type Logger } from '@ws-gateway/core';
import { Command, type Redis } from 'ioredis';
import type { RecentRecords } from './recent-records.js';
import { MessageDecoder } from './wire.js';

/** Batches of each inbox in one answer. */
const BATCHES_MAX = 16;
/** An answer comes at least this often, an empty one if need be: what is silent for longer is dead. */
const BLOCK_MS = 1000;
/** Messages before the sockets are flushed, when more have come together. */
const FLUSH_MESSAGES = 512;
const REACH_POLL_MS = 10;

/** Batch ids are `<number>-<Redis process>`. This suffix sorts after every process. */
const LAST_OF_NUMBER = '-18446744073709551615';

/** The library's raw answer: for each inbox its batches, each an id and header and body in turn; null for none. */
type Answer = [Buffer, [Buffer, Buffer[]][]][] | null;

interface Batch {
  /** Name of the Redis process that made it. */
  readonly server: number;
  /** Header and body in turn. */
  readonly parts: readonly Buffer[];
}

interface InboxState {
  readonly key: string;
  /** Number of the last batch handed over. */
  processed: number;
  /** Its id: number and Redis process. */
  processedId: string;
  /** The connection was lost since: that batch is asked for again, to see whether it is still the same. */
  doubted: boolean;
  /** Bytes read of which Redis has not been told. */
  bytesRead: number;
}

/** Listens to what a reader tells of its inboxes, by their keys. */
export interface InboxListener {
  /** Batches were lost: told before anything behind them is handed over. */
  lost(key: string): void;
  /** Very much was read since the last check: Redis must hear of it, or takes it for unread. */
  swallowed(key: string): void;
}

/**
 * Reads this node's inboxes, one a partition, on a connection of its own that always waits for the next batch. After a
 * lost connection it goes on where it was, so nothing is missed and nothing comes twice. Batches are numbered without a
 * gap: the listener hears when some were dropped before they were read, and when Redis came back with older data and gave
 * their numbers to others.
 *
 * Not by pub/sub: a channel can lose what it carries, so it needs this reading as its repair in any case; and it needs
 * the batch as one string, which costs Redis a third more for each message.
 */
export class InboxReader {
  readonly #redis: Redis;
  readonly #inbox: Inbox;
  readonly #stats: EngineStats;
  readonly #logger: Logger;
  readonly #timeoutMs: number;
  readonly #listener: InboxListener;
  /** Bytes that were read from which on Redis is told at once. */
  readonly #swallowedBytes: number;
  readonly #decoder: MessageDecoder;
  #inboxes: InboxState[] = [];
  #places = new Map<string, InboxState>();
  #answeredMs = 0;
  /** The connection broke: what comes first on the next one was missed meanwhile. */
  #interrupted = false;
  /** The connection is dropped on purpose, to begin with other inboxes. */
  #switching = false;
  #unflushed = 0;

  constructor(
    redis: Redis,
    { inbox, recent, stats, logger }: { inbox: Inbox; recent: RecentRecords; stats: EngineStats; logger: Logger },
    { timeoutMs, listener, bytesMax }: { timeoutMs: number; listener: InboxListener; bytesMax: number },
  ) {
    this.#redis = redis;
    this.#inbox = inbox;
    this.#decoder = new MessageDecoder(inbox, recent, stats);
    this.#stats = stats;
    this.#logger = logger;
    this.#listener = listener;
    this.#swallowedBytes = bytesMax / 4;
    this.#timeoutMs = timeoutMs;
    redis.on('ready', () => this.#read());
    redis.on('close', () => {
      this.#interrupted = !this.#switching;
      for (const state of this.#inboxes) state.doubted = state.processed > 0;
      this.#switching = false;
    });
  }

  get ready(): boolean {
    return this.#redis.status === 'ready';
  }

  get inboxes(): readonly Readonly<InboxState>[] {
    return this.#inboxes;
  }

  /** Reads these inboxes from now on, from their beginning, and no others. */
  follow(keys: readonly string[]): void {
    this.#interrupted = false;
    this.#switchTo(keys.map(newInbox));
  }

  /** These inboxes were opened again, and are read from their beginning; the others go on. */
  startOver(keys: readonly string[]): void {
    if (!this.#inboxes.some(({ key }) => keys.includes(key))) return;
    this.#switchTo(this.#inboxes.map((state) => (keys.includes(state.key) ? newInbox(state.key) : state)));
  }

  /** Resolves when the batches up to these numbers, one for each inbox, have been handed over. */
  async reach(sequences: readonly number[]): Promise<void> {
    const inboxes = this.#inboxes;
    const deadlineMs = performance.now() + this.#timeoutMs / 2;
    while (inboxes.some(({ processed }, place) => processed < sequences[place]!)) {
      if (inboxes !== this.#inboxes || performance.now() > deadlineMs) {
        throw new EngineError('unavailable', 'the inbox was not read in time');
      }
      await delay(REACH_POLL_MS);
    }
  }

  /** Takes the bytes that Redis has to be told of: two checks under way must not tell of the same. */
  takeBytesRead(place: number): number {
    const state = this.#inboxes[place]!;
    const { bytesRead } = state;
    state.bytesRead = 0;
    return bytesRead;
  }

  /** Redis was not told, or perhaps was: then more may wait in this inbox, for once. */
  giveBack(place: number, bytesRead: number): void {
    const state = this.#inboxes[place];
    if (state !== undefined) state.bytesRead += bytesRead;
  }

  /** Ends a connection that no longer answers. */
  probe(): void {
    if (!this.ready || this.#inboxes.length === 0) return;
    if (performance.now() - this.#answeredMs < BLOCK_MS + this.#timeoutMs) return;
    this.#logger.warn('redis inbox connection gives no answer', {});
    this.#redis.disconnect(true);
  }

  stop(): void {
    this.#inboxes = [];
    this.#places.clear();
    this.#redis.disconnect();
  }

  #switchTo(inboxes: InboxState[]): void {
    const waits = this.#inboxes.length > 0;
    this.#inboxes = inboxes;
    this.#places = new Map(inboxes.map((state) => [state.key, state]));
    // What it waits for are the inboxes of before; only with the connection it stops.
    if (waits && this.ready) {
      this.#switching = true;
      this.#redis.disconnect(true);
    } else this.#read();
  }

  #read(): void {
    if (!this.ready || this.#inboxes.length === 0) return;
    this.#answeredMs = performance.now();
    const inboxes = this.#inboxes;
    const args = ['BLOCK', BLOCK_MS, 'COUNT', BATCHES_MAX, 'STREAMS'] as (string | number)[];
    for (const { key } of inboxes) args.push(key);
    for (const { processed, doubted } of inboxes) args.push(`${doubted ? processed - 1 : processed}${LAST_OF_NUMBER}`);
    const command = new Command('xread', args as string[], { replyEncoding: null });
    (this.#redis.sendCommand(command) as Promise<Answer>).then(
      (answer) => {
        if (inboxes === this.#inboxes) this.#take(answer);
      },
      (error: unknown) => this.#failed(error),
    );
  }

  #take(answer: Answer): void {
    const batches = answer === null ? [] : this.#newBatches(answer);
    // Asked for more before the work on these begins: meanwhile the next ones travel.
    this.#read();
    if (batches.length > 0 && this.#interrupted) {
      this.#stats.gapRepairs.add('repaired');
      this.#logger.info('inbox gap repaired', { batches: batches.length });
    }
    this.#interrupted = false;
    for (const { server, parts } of batches) {
      for (let at = 0; at < parts.length; at += 2) this.#decoder.decode(parts, at, server);
      this.#flush(parts.length / 2, FLUSH_MESSAGES);
    }
    this.#flush(0, 1);
  }

  /** The batches' messages; notes them as processed. */
  #newBatches(answer: NonNullable<Answer>): Batch[] {
    const batches: Batch[] = [];
    for (const [key, entries] of answer) {
      const state = this.#places.get(key.toString())!;
      for (const [idBytes, parts] of entries) {
        const id = idBytes.toString('latin1');
        const isProof = state.doubted && id === state.processedId;
        if (!isProof) for (const part of parts) state.bytesRead += part.length;
        if (!isProof) batches.push({ server: Number(id.slice(id.indexOf('-') + 1)), parts });
        this.#moveTo(state, id, isProof);
      }
      if (state.bytesRead > this.#swallowedBytes) this.#listener.swallowed(state.key);
    }
    return batches;
  }

  #moveTo(state: InboxState, id: string, isProof: boolean): void {
    const sequence = Number.parseInt(id, 10);
    if (state.doubted && !isProof) this.#lose(state, Math.max(1, sequence - state.processed));
    else if (sequence > state.processed + 1) this.#lose(state, sequence - state.processed - 1);
    state.doubted = false;
    state.processed = sequence;
    state.processedId = id;
  }

  #flush(messages: number, atLeast: number): void {
    this.#unflushed += messages;
    if (this.#unflushed < atLeast) return;
    this.#unflushed = 0;
    this.#inbox.endBatch();
  }

  #lose({ key }: InboxState, batches: number): void {
    this.#stats.gapRepairs.add('lost');
    this.#logger.warn('inbox gap cannot be repaired', { batches });
    this.#listener.lost(key);
  }

  #failed(error: unknown): void {
    // A lost connection reads again when it is back. An error reply (out of memory, loading) must not end the reading.
    if (!this.ready) return;
    this.#logger.warn('inbox not read', { error: String(error) });
    setTimeout(() => this.#redis.disconnect(true), BLOCK_MS).unref();
  }
}

function newInbox(key: string): InboxState {
  return { key, processed: 0, processedId: '', doubted: false, bytesRead: 0 };
}
