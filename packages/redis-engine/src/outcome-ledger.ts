import { randomBytes } from 'node:crypto';
import {
  ledgerKey,
  type DecidedMessage,
  type Outcome,
  type OutcomePage,
  type OutcomeStore,
  type TakeNote,
  type Ticket,
} from '@ws-gateway/core';
import type { Calls } from './calls.js';
import type { Keys } from './keys.js';

/** Time in ms in which no other node reads a part's outcomes. */
const READER_MS = 3000;

/** Messages in one page. */
const PAGE_MAX = 500;

/** Arguments of one call, five for a note: everybody else waits for it. */
const ARGS_MAX = 1000;

/** What the ledger needs of a started engine. */
interface LedgerParts {
  readonly calls: Calls;
  readonly keys: Keys;
  /** This node's name. */
  readonly membership: { readonly name: string };
}

/** Runs an action on the parts of a started engine; rejects while there is none. */
type Started = <Result>(action: (parts: LedgerParts) => Promise<Result>) => Promise<Result>;

/** What becomes of messages with a ticket: scripts/include/ledger.lua has the rules. */
export class OutcomeLedger implements OutcomeStore {
  readonly parts: number;
  readonly #started: Started;

  constructor(parts: number, started: Started) {
    this.parts = parts;
    this.#started = started;
  }

  note(notes: readonly TakeNote[]): Promise<void> {
    return this.#started(async ({ calls, keys }) => {
      const chunks = chunksOf(notes, keys);
      await Promise.all(
        chunks.map(({ partition, args }) =>
          calls.of(partition).run('note-takes', { keys: [keys.base(partition)], args }),
        ),
      );
    });
  }

  page(part: number, receipt: string | null): Promise<OutcomePage | null> {
    return this.#started(async ({ calls, keys, membership }) => {
      const args = [membership.name, READER_MS, receipt ?? '', PAGE_MAX, randomBytes(6).toString('hex')];
      const reply = await calls.of(part).run<(string | number)[]>('outcomes', { keys: [keys.base(part)], args });
      if (reply.length === 0) return null;
      const [proof, pending, lost, ...messages] = reply as [string, number, number, ...string[]];
      return { receipt: proof, pending, lost, messages: messages.map(toMessage) };
    });
  }
}

interface NoteChunk {
  readonly partition: number;
  readonly args: (string | number)[];
}

function chunksOf(notes: readonly TakeNote[], keys: Keys): NoteChunk[] {
  const chunks: NoteChunk[] = [];
  const open = new Map<number, NoteChunk>();
  for (const note of notes) {
    const partition = keys.partitionOf(note.user);
    let chunk = open.get(partition);
    if (chunk === undefined || chunk.args.length >= ARGS_MAX) {
      chunk = { partition, args: [] };
      open.set(partition, chunk);
      chunks.push(chunk);
    }
    chunk.args.push(ledgerKey(note), note.heard, note.taken, note.waiting, note.dropped);
  }
  return chunks;
}

/** As scripts/include/ledger.lua reads it. */
export function ticketText({ endsAtMs, offlineAfterMs, ackTimeoutMs, about }: Ticket): string {
  return `${Math.ceil(endsAtMs)} ${offlineAfterMs} ${ackTimeoutMs}\t${about}`;
}

function toMessage(text: string): DecidedMessage {
  const tab = text.indexOf('\t');
  const [outcome, connections, atMs] = text.slice(0, tab).split(' ');
  const about = text.slice(tab + 1);
  return { outcome: outcome as Outcome, connections: Number(connections), atMs: Number(atMs), about };
}
