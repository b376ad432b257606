import {
  ledgerKey,
  type DecidedMessage,
  type Outcome,
  type OutcomePage,
  type OutcomeStore,
  type TakeNote,
  type Ticket,
} from '../outcomes/outcome.js';

/** Messages that wait for their outcome, or for somebody to read it. What comes beyond is lost and counted. */
const MESSAGES_MAX = 200_000;

/** Decided messages in one page. */
const PAGE_MAX = 500;

/** Time in ms that the queue of a slow client may take to say what became of a message. */
const QUEUE_MS = 60_000;

interface Entry {
  readonly ticket: Ticket;
  readonly stream: string;
  /** Offset in the stream; 0: it has no positions. */
  readonly offset: number;
  /** Nodes that were handed it and have not said anything. */
  missing: number;
  taken: number;
  waiting: number;
  dropped: number;
  dueMs: number;
  takenAtMs: number;
}

/** Where a message is in its stream, how many nodes were handed it, and its ticket. */
export interface Entering {
  readonly stream: string;
  readonly offset: number;
  readonly nodes: number;
  readonly ticket: Ticket;
}

/** What becomes of messages with a ticket, in the memory of one node: the same rules as in Redis (scripts/include/ledger.lua). */
export class MemoryLedger implements OutcomeStore {
  readonly parts = 1;
  readonly #clock: () => number;
  readonly #entries = new Map<string, Entry>();
  /** By stream, the keys of its messages that may be acknowledged. */
  readonly #acknowledgeable = new Map<string, Set<string>>();
  #decided: DecidedMessage[] = [];
  /** Number of the first decided message. */
  #first = 0;
  #lost = 0;

  /** `clock`: ms since the epoch. */
  constructor(clock: () => number) {
    this.#clock = clock;
  }

  enter(key: string, { stream, offset, nodes, ticket }: Entering): void {
    if (this.#entries.size >= MESSAGES_MAX) {
      this.#lost++;
      return;
    }
    const { endsAtMs, ackTimeoutMs, offlineAfterMs } = ticket;
    const end = endsAtMs > 0 ? endsAtMs : Number.POSITIVE_INFINITY;
    const dueMs = Math.min(this.#clock() + offlineAfterMs, end);
    const counts = { missing: nodes, taken: 0, waiting: 0, dropped: 0 };
    this.#entries.set(key, { ticket, stream, offset, dueMs, takenAtMs: 0, ...counts });
    if (ackTimeoutMs === 0 || offset === 0) return;
    const keys = this.#acknowledgeable.get(stream);
    if (keys === undefined) this.#acknowledgeable.set(stream, new Set([key]));
    else keys.add(key);
  }

  expired({ about }: Ticket): void {
    this.#add({ outcome: 'expired', connections: 0, atMs: this.#clock(), about });
  }

  async note(notes: readonly TakeNote[]): Promise<void> {
    for (const note of notes) this.#note(note, this.#clock());
  }

  acknowledged(stream: string, offset: number): void {
    const nowMs = this.#clock();
    for (const key of this.#acknowledgeable.get(stream) ?? []) {
      const entry = this.#entries.get(key)!;
      if (entry.offset > offset) continue;
      this.#forget(key, entry);
      const connections = Math.max(1, entry.taken);
      // Who acknowledges what lies behind it has not got what all queues gave up.
      const outcome = isGivenUp(entry) ? 'dropped' : 'acked';
      this.#add({ outcome, connections, atMs: nowMs, about: entry.ticket.about });
    }
  }

  /** The stream was erased, and begins again: no offset of it means what is here now. */
  unacknowledgeable(stream: string): void {
    this.#acknowledgeable.delete(stream);
  }

  async page(_part: number, receipt: string | null): Promise<OutcomePage> {
    const nowMs = this.#clock();
    const [first, end] = (receipt ?? '').split(' ').map(Number);
    if (first === this.#first && end !== undefined) {
      this.#decided.splice(0, end - first);
      this.#first = end;
    }
    for (const [key, entry] of this.#entries) {
      if (entry.dueMs <= nowMs) this.#decide(key, entry, { isDue: true, nowMs });
    }
    const messages = this.#decided.slice(0, PAGE_MAX);
    const lost = this.#lost;
    this.#lost = 0;
    return { messages, receipt: `${this.#first} ${this.#first + messages.length}`, pending: this.#entries.size, lost };
  }

  #note(note: TakeNote, nowMs: number): void {
    const key = ledgerKey(note);
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    entry.missing -= note.heard;
    entry.taken += note.taken;
    entry.waiting += note.waiting;
    entry.dropped += note.dropped;
    if (entry.taken > 0) {
      if (entry.takenAtMs === 0) entry.takenAtMs = nowMs;
      const { ackTimeoutMs, offlineAfterMs } = entry.ticket;
      const patienceMs = entry.waiting > 0 ? QUEUE_MS : offlineAfterMs;
      entry.dueMs = entry.takenAtMs + (ackTimeoutMs > 0 && !isGivenUp(entry) ? ackTimeoutMs : patienceMs);
    }
    this.#decide(key, entry, { isDue: false, nowMs });
  }

  #decide(key: string, entry: Entry, { isDue, nowMs }: { isDue: boolean; nowMs: number }): void {
    const outcome = outcomeOf(entry, isDue, nowMs);
    if (outcome === null) return;
    this.#forget(key, entry);
    const atMs = outcome === 'delivered' ? entry.takenAtMs : nowMs;
    this.#add({ outcome, connections: entry.taken, atMs, about: entry.ticket.about });
  }

  #forget(key: string, { stream }: Entry): void {
    this.#entries.delete(key);
    const keys = this.#acknowledgeable.get(stream);
    if (keys?.delete(key) === true && keys.size === 0) this.#acknowledgeable.delete(stream);
  }

  #add(message: DecidedMessage): void {
    if (this.#decided.length >= MESSAGES_MAX) this.#lost++;
    else this.#decided.push(message);
  }
}

/** Whether the queues of all connections that took the message so far have given it up. */
function isGivenUp({ taken, dropped, missing, waiting }: Entry): boolean {
  return taken > 0 && dropped >= taken && missing <= 0 && waiting <= 0;
}

/** Decides about a message by what is known of it; null: it is not decided. `isDue`: the time that was given it is over. */
function outcomeOf(entry: Entry, isDue: boolean, nowMs: number): Outcome | null {
  const { taken, dropped, missing, waiting, ticket } = entry;
  if (taken === 0) {
    if (!isDue) return null;
    return ticket.endsAtMs > 0 && ticket.endsAtMs <= nowMs ? 'expired' : 'offline';
  }
  if (!isDue && (missing > 0 || waiting > 0)) return null;
  // Until its time is over another connection of the user may read it in the history.
  if (dropped >= taken) return isDue || nowMs >= entry.takenAtMs + ticket.offlineAfterMs ? 'dropped' : null;
  if (ticket.ackTimeoutMs === 0) return 'delivered';
  return isDue ? 'unacked' : null;
}
