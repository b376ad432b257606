import { setTimeout as delay } from 'node:timers/promises';
import { EngineError, type EngineStats, type Logger } from '@ws-gateway/core';
import { Command, type Redis } from 'ioredis';
import { Arrivals } from './arrivals.js';
import type { BatchQueue } from './batch-queue.js';
import type { Channel } from './channel-commands.js';
import { newInbox, numberIn, readFrom, serverIn, type InboxPlace, type InboxState } from './inbox-state.js';
import { LiveChannel } from './live-channel.js';
import { mergedBatches, type Entry } from './merged-batches.js';
import { messagesIn, readAnnouncement, sharedNumberIn } from './wire.js';

/** Batches of each inbox in one answer. */
const BATCHES_MAX = 16;
/** An answer comes at least this often, an empty one if need be: what is silent for longer is dead. */
const BLOCK_MS = 1000;
const REACH_POLL_MS = 10;
/** Time without the channel after it has not announced a batch: a node of a release that announces none may be there. */
const DISTRUST_MS = 60_000;

/** The library's raw answer: for each inbox its batches; null for none. */
type Answer = [Buffer, Entry[]][] | null;

/** How an answer was asked for. */
interface Question {
  readonly waits: boolean;
  /** Number of the listening meanwhile; 0: none. */
  readonly listening: number;
}

/** Numbers of the newest batches in an inbox and in the log beside it. */
export interface Reached {
  readonly sequence: number;
  readonly shared: number;
}

export interface InboxReaderParts {
  readonly queue: BatchQueue;
  readonly stats: EngineStats;
  readonly logger: Logger;
}

/**
 * Takes in what comes for this node: batches, numbered without a gap, in its inboxes, one a partition. Each is announced on
 * a channel as well, whole when it is small. The inbox is the proof and the channel the shortcut: an announced batch is
 * taken when it is the next one by its number, and all else is read from the inbox, so nothing is missed and nothing comes
 * twice whatever a channel loses. A queue hands them over; while much waits in it, nothing more is asked for.
 *
 * Without the channel a connection always waits for the next batch in the inboxes. So it is done while batches are large,
 * when announcing them would be one more command, and while the channel cannot be listened to or has not told everything.
 * With it the inboxes are looked at once a second.
 *
 * What many nodes get is in a log that they share, one a partition, which is read, announced and proved like an inbox. Both are
 * taken in the order in which they were written. On the channel that is the order in which they come, from the time on when
 * all that came before was read.
 *
 * After a lost connection it goes on where it was. The listener hears when batches were dropped before they were read, and
 * when Redis came back with older data and gave their numbers to others.
 */
export class InboxReader {
  readonly #redis: Redis;
  readonly #channel: LiveChannel;
  readonly #queue: BatchQueue;
  readonly #stats: EngineStats;
  readonly #logger: Logger;
  readonly #timeoutMs: number;
  #inboxes: InboxState[] = [];
  /** The inboxes, and the logs beside them. */
  #states: InboxState[] = [];
  #places = new Map<string, InboxState>();
  #askedMs = 0;
  /** An answer is awaited. */
  #reading = false;
  /** Read again behind the answer that is awaited: more may have come since that was asked for. */
  #rung = false;
  /** Batches are announced, and the inboxes are read only for what was not announced whole. */
  #byChannel = false;
  /** Number of times that listening began, and the last one since whose beginning all was read. */
  #listening = 0;
  #provenListening = 0;
  /** Batches of an inbox wait for what lies before them in the log. */
  #holds = false;
  /** Listening goes on since the tick before. */
  #settled = false;
  #distrustedUntilMs = -Infinity;
  readonly #arrivals = new Arrivals();
  /** The connection broke: what comes first on the next one was missed meanwhile. */
  #interrupted = false;
  /** The connection is dropped on purpose, to begin with other inboxes. */
  #switching = false;
  readonly #readOn = () => this.#read();

  constructor(
    { reading: redis, channel }: { reading: Redis; channel: Channel },
    { queue, stats, logger }: InboxReaderParts,
    { timeoutMs }: { timeoutMs: number },
  ) {
    this.#redis = redis;
    this.#queue = queue;
    this.#stats = stats;
    this.#logger = logger;
    this.#timeoutMs = timeoutMs;
    const heard = { logger, listener: this.#channelListener() };
    this.#channel = new LiveChannel(channel, heard, { timeoutMs });
    redis.on('ready', () => this.#read());
    redis.on('close', () => {
      this.#reading = false;
      this.#holds = false;
      this.#interrupted = !this.#switching;
      for (const state of this.#states) {
        state.doubted = state.taken > 0;
        state.server = 0;
      }
      // Where this one led there may be no inboxes any more, and no announcements.
      if (!this.#switching) this.#channel.reconnect();
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
  follow(places: readonly InboxPlace[]): void {
    this.#interrupted = false;
    this.#switchTo(places.map(newInbox));
  }

  /** These inboxes were opened again, and are read from their beginning; the others go on. */
  startOver(places: readonly InboxPlace[]): void {
    const opened = new Map(places.map((place) => [place.key, place]));
    if (!this.#inboxes.some(({ key }) => opened.has(key))) return;
    this.#switchTo(this.#inboxes.map((inbox) => (opened.has(inbox.key) ? newInbox(opened.get(inbox.key)!) : inbox)));
  }

  /** Resolves when the batches up to these numbers, for each inbox and the log beside it, have been handed over. */
  async reach(numbers: readonly Reached[]): Promise<void> {
    const inboxes = this.#inboxes;
    const deadlineMs = performance.now() + this.#timeoutMs / 2;
    const isShort = ({ processed, beside }: InboxState, place: number) => {
      const { sequence, shared } = numbers[place]!;
      return processed < sequence || (beside !== null && beside.processed < shared);
    };
    while (inboxes.some(isShort)) {
      if (inboxes !== this.#inboxes || performance.now() > deadlineMs) {
        throw new EngineError('unavailable', 'the inbox was not read in time');
      }
      this.#read();
      await delay(REACH_POLL_MS);
    }
  }

  /** Takes the bytes that Redis has to be told of: two checks under way must not tell of the same. */
  takeBytesRead(place: number): number {
    const state = this.#inboxes[place]!;
    const { bytesRead, beside } = state;
    state.bytesRead = 0;
    // Of the log nobody counts what is unread.
    if (beside !== null) beside.bytesRead = 0;
    return bytesRead;
  }

  /** Redis was not told, or perhaps was: then more may wait in this inbox, for once. */
  giveBack(place: number, bytesRead: number): void {
    const state = this.#inboxes[place];
    if (state !== undefined) state.bytesRead += bytesRead;
  }

  /** Called every second: ends a connection that no longer answers, and looks for what was not announced. */
  probe(): void {
    if (this.#inboxes.length === 0) return;
    this.#channel.probe();
    this.#chooseWay();
    if (!this.ready) return;
    if (!this.#reading) this.#read();
    else if (performance.now() - this.#askedMs > BLOCK_MS + this.#timeoutMs) {
      this.#logger.warn('redis inbox connection gives no answer', {});
      this.#redis.disconnect(true);
    }
  }

  stop(): void {
    this.#inboxes = [];
    this.#states = [];
    this.#places.clear();
    this.#queue.clear();
    this.#channel.stop();
    this.#redis.disconnect();
  }

  #switchTo(inboxes: InboxState[]): void {
    this.#queue.handOverAll();
    // Announcements of before are not mistaken for those of the inboxes that were opened again.
    this.#channel.leave();
    this.#byChannel = false;
    this.#inboxes = inboxes;
    this.#states = inboxes.flatMap((inbox) => (inbox.beside === null ? [inbox] : [inbox, inbox.beside]));
    this.#places = new Map(this.#states.map((state) => [state.key, state]));
    this.#listen();
    // What it waits for are the inboxes of before; only with the connection it stops.
    if (this.#reading && this.ready) {
      this.#switching = true;
      this.#redis.disconnect(true);
    } else this.#read();
  }

  #channelListener() {
    return {
      begun: () => {
        for (const state of this.#states) state.announced = 0;
        this.#byChannel = true;
        this.#listening++;
        this.#settled = false;
      },
      announced: (key: string, announcement: Buffer) => this.#announced(key, announcement),
      ended: (isRefused: boolean) => {
        if (isRefused) this.#distrustedUntilMs = performance.now() + DISTRUST_MS;
        this.#leaveChannel();
      },
      ready: () => this.#listen(),
    };
  }

  #listen(): void {
    if (this.#inboxes.length === 0 || performance.now() < this.#distrustedUntilMs) return;
    this.#channel.listen(this.#states.map(({ key }) => key));
  }

  #leaveChannel(): void {
    this.#channel.leave();
    this.#byChannel = false;
    if (!this.#reading) this.#read();
  }

  #distrust(): void {
    this.#logger.info('inbox batches are not announced', {});
    this.#distrustedUntilMs = performance.now() + DISTRUST_MS;
    this.#leaveChannel();
    this.#channel.reconnect();
  }

  /** Takes the channel, unless it does not tell of all, or one answer brings as much as many announcements. */
  #chooseWay(): void {
    const isBulk = this.#arrivals.takeLargeShare() > (this.#byChannel ? 1 / 2 : 1 / 4);
    if (isBulk) this.#leaveChannel();
    else if (!this.#byChannel) this.#listen();
    else if (this.#settled && this.#states.some(({ announced, due }) => announced < due)) this.#distrust();
    // What was published before the channel was listened to is read by now.
    for (const state of this.#states) {
      state.due = this.#settled ? state.found : 0;
      if (!this.#settled) state.found = 0;
    }
    this.#settled = this.#byChannel;
  }

  #announced(key: string, bytes: Buffer): void {
    const state = this.#places.get(key);
    if (state === undefined || !this.#byChannel) return;
    const { id, parts } = readAnnouncement(bytes);
    const number = numberIn(id);
    const isGap = state.announced > 0 && number > state.announced + 1;
    state.announced = Math.max(state.announced, number);
    if (isGap) this.#distrust();
    if (number <= state.taken) return;
    const isNext = number === state.taken + 1 && serverIn(id) === state.server && !state.doubted;
    if (parts === null || !isNext || !this.#isInTurn(state, parts) || this.#queue.isFull) return this.#read();
    this.#stats.inboxBatches.add('announced');
    if (!this.#arrivals.isUnderWay) queueMicrotask(() => this.#endArrival());
    this.#add(state, { id, parts, lost: 0 });
    this.#queue.handOver();
  }

  /** Nothing of the inbox or log beside it comes before this batch any more. */
  #isInTurn({ isShared, beside }: InboxState, parts: readonly Buffer[]): boolean {
    if (beside === null) return true;
    if (!isShared) return sharedNumberIn(parts) <= beside.taken;
    return this.#provenListening === this.#listening && beside.announced <= beside.taken;
  }

  #read(): void {
    if (!this.ready || this.#inboxes.length === 0) return;
    if (this.#reading) {
      this.#rung = true;
      return;
    }
    if (this.#queue.isFull) return this.#queue.whenRoom(this.#readOn);
    this.#reading = true;
    this.#rung = false;
    this.#askedMs = performance.now();
    const states = this.#states;
    const waits = !this.#byChannel && !this.#holds;
    const question = { waits, listening: this.#byChannel ? this.#listening : 0 };
    const args: (string | number)[] = waits ? ['BLOCK', BLOCK_MS] : [];
    args.push('COUNT', BATCHES_MAX, 'STREAMS');
    for (const { key } of states) args.push(key);
    for (const state of states) args.push(readFrom(state));
    const command = new Command('xread', args as string[], { replyEncoding: null });
    (this.#redis.sendCommand(command) as Promise<Answer>).then(
      (answer) => {
        if (states === this.#states) this.#take(answer, question);
      },
      (error: unknown) => this.#failed(error),
    );
  }

  #take(answer: Answer, { waits, listening }: Question): void {
    this.#reading = false;
    this.#holds = false;
    const batches = answer === null ? 0 : this.#addNew(answer, !waits);
    const isAll = !isFull(answer) && !this.#holds;
    if (isAll && listening > 0) this.#provenListening = listening;
    // Asked for more before the work on these begins: meanwhile the next ones travel.
    const isProven = this.#provenListening === this.#listening;
    if (!this.#byChannel || !isAll || !isProven || (this.#rung && this.#isBehind())) this.#read();
    if (batches > 0 && this.#interrupted) {
      this.#stats.gapRepairs.add('repaired');
      this.#logger.info('inbox gap repaired', { batches });
    }
    this.#interrupted = false;
    this.#queue.handOver();
    this.#endArrival();
  }

  #isBehind(): boolean {
    return this.#states.some(({ announced, taken }) => announced > taken);
  }

  /** Takes the batches of the answer that have not come yet; returns their number. */
  #addNew(answer: NonNullable<Answer>, isSnapshot: boolean): number {
    const found = new Map(answer.map(([key, entries]) => [this.#places.get(key.toString())!, entries]));
    let count = 0;
    for (const inbox of this.#inboxes) {
      const ofInbox = found.get(inbox);
      const ofLog = inbox.beside === null ? undefined : found.get(inbox.beside);
      if (ofInbox === undefined && ofLog === undefined) continue;
      const both = { inbox: ofInbox ?? [], log: ofLog ?? [] };
      const { batches, isHeld } = mergedBatches(inbox, both, { limit: BATCHES_MAX, isSnapshot });
      if (isHeld) this.#holds = true;
      for (const { state, entry, lostOfLog } of batches) if (this.#addFound(state, entry, lostOfLog)) count++;
    }
    return count;
  }

  /** Returns whether the batch is new. */
  #addFound(state: InboxState, [idBytes, parts]: Entry, lostOfLog: number): boolean {
    const id = idBytes.toString('latin1');
    const isProof = state.doubted && id === state.takenId;
    const missing = numberIn(id) - state.taken - 1;
    // Announced since it was asked for.
    if (!state.doubted && missing < 0) return false;
    const lost = state.doubted ? Math.max(1, missing + 1) : missing;
    state.doubted = false;
    state.found = numberIn(id);
    if (isProof) return false;
    if (lostOfLog > 0) state.beside!.taken += lostOfLog;
    this.#stats.inboxBatches.add('read');
    state.server = serverIn(id);
    this.#add(state, { id, parts, lost: lost + lostOfLog });
    return true;
  }

  #add(state: InboxState, { id, parts, lost }: { id: string; parts: readonly Buffer[]; lost: number }): void {
    const messages = messagesIn(parts);
    let bytes = 0;
    for (const part of messages) bytes += part.length;
    state.taken = numberIn(id);
    state.takenId = id;
    // The log is announced whole whatever comes in it.
    if (!state.isShared) this.#arrivals.add(messages.length / 2, bytes);
    this.#queue.add({ inbox: state, number: state.taken, server: state.server, parts: messages, bytes, lost });
  }

  #endArrival(): void {
    this.#arrivals.end();
    this.#queue.flush();
  }

  #failed(error: unknown): void {
    // A lost connection reads again when it is back. An error reply (out of memory, loading) must not end the reading.
    if (!this.ready) return;
    this.#logger.warn('inbox not read', { error: String(error) });
    const { stream } = this.#redis;
    const dropIt = (): void => {
      // It may have been breaking just then, and the one after it is well.
      if (this.#redis.stream === stream) this.#redis.disconnect(true);
    };
    setTimeout(dropIt, BLOCK_MS).unref();
  }
}

/** More batches may be behind those of the answer. */
function isFull(answer: Answer): boolean {
  return answer !== null && answer.some(([, entries]) => entries.length >= BATCHES_MAX);
}
