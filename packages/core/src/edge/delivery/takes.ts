import { endByDefect } from '../../defects.js';
import type { Logger } from '../../logger.js';
import { ledgerKey, type MessageOrigin, type OutcomeStore, type TakeNote } from '../../outcomes/outcome.js';
import type { FrameFate } from '../../slow-policies/slow-policy.js';
import type { Frame, Subscription } from './connection.js';

/** Time in ms that notes are collected before the engine is told of them in one call. */
const COLLECT_MS = 100;

/** Messages that may wait for an engine that is away. What becomes of more is decided without this node's word. */
const NOTES_MAX = 100_000;

/** Age in ms beyond which nobody waits for a message of the history any more, besides the time that its topic gives. */
const HISTORY_SLACK_MS = 60_000;

/** What came of a message on this node, which the engine waits to hear. */
export interface Take extends FrameFate {
  /** A connection took it to its socket. */
  sent(): void;
  /** It waits for a connection that does not keep up. */
  queued(): void;
}

/**
 * Tells the engine what this node's connections took of messages whose outcome is wanted (see OutcomeStore.note), a
 * moment later and many at once.
 */
export class Takes {
  readonly #outcomes: Pick<OutcomeStore, 'note'>;
  readonly #logger: Logger;
  #notes = new Map<string, Note>();
  #timer: NodeJS.Timeout | null = null;
  /** The call under way; never rejects. */
  #telling: Promise<void> = Promise.resolve();

  constructor(deps: { outcomes: Pick<OutcomeStore, 'note'>; logger: Logger }) {
    this.#outcomes = deps.outcomes;
    this.#logger = deps.logger;
  }

  /** Begins the account of a live message for the stream of this subscription; null: its outcome is not wanted. */
  came(message: MessageOrigin, subscription: Subscription): Take | null {
    const user = trackedUser(subscription);
    if (user === null || message.source === 0) return null;
    const take = new NodeTake(this, message, user);
    take.heard();
    return take;
  }

  /** Notes that a connection was sent messages of the history. */
  replayed(
    messages: readonly Pick<Frame, 'source' | 'sourceOffset' | 'acceptedMs'>[],
    subscription: Subscription,
  ): void {
    const user = trackedUser(subscription);
    if (user === null) return;
    const { policy, localStream } = subscription;
    // Who comes back is sent much that was decided long ago.
    const sinceMs = Date.now() - policy.tracking!.offlineAfterMs - HISTORY_SLACK_MS;
    for (const { source = 0, sourceOffset = 0, acceptedMs = 0 } of messages) {
      if (source === 0 || acceptedMs < sinceMs) continue;
      new NodeTake(this, { stream: localStream.stream, source, sourceOffset }, user).sent();
    }
  }

  /** The note about a message, to be added to. */
  noteOf(origin: MessageOrigin, user: string): Note | null {
    const key = ledgerKey(origin);
    let note = this.#notes.get(key);
    if (note === undefined) {
      if (this.#notes.size >= NOTES_MAX) return null;
      const { stream, source, sourceOffset } = origin;
      note = { user, stream, source, sourceOffset, heard: 0, taken: 0, waiting: 0, dropped: 0 };
      this.#notes.set(key, note);
    }
    this.#timer ??= setTimeout(() => {
      this.flush().catch(endByDefect);
    }, COLLECT_MS);
    return note;
  }

  /** Resolves when the engine was told all that was noted so far, or cannot be reached. Never rejects. */
  async flush(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#telling = this.#telling.then(() => this.#tell());
    await this.#telling;
  }

  async #tell(): Promise<void> {
    if (this.#notes.size === 0) return;
    const notes = this.#notes;
    this.#notes = new Map();
    try {
      await this.#outcomes.note([...notes.values()]);
    } catch (error) {
      // Told again with the next ones. A call whose outcome is unknown may count a connection twice.
      this.#logger.debug('what became of messages could not be noted, trying again', { error });
      for (const note of notes.values()) this.#addBack(note);
    }
  }

  #addBack(earlier: Note): void {
    const note = this.noteOf(earlier, earlier.user);
    if (note === null) return;
    note.heard ||= earlier.heard;
    note.taken += earlier.taken;
    note.waiting += earlier.waiting;
    note.dropped += earlier.dropped;
  }
}

/** The user whose own stream this is, in a topic whose outcomes are wanted; null: nobody asks. */
function trackedUser({ policy, connection, localStream }: Subscription): string | null {
  return policy.tracking === null || localStream.shared ? null : connection.user;
}

type Note = { -readonly [Member in keyof TakeNote]: TakeNote[Member] };

/** One message on this node. */
class NodeTake implements Take {
  readonly #takes: Takes;
  readonly #origin: MessageOrigin;
  readonly #user: string;

  constructor(takes: Takes, { stream, source, sourceOffset }: MessageOrigin, user: string) {
    this.#takes = takes;
    this.#origin = { stream, source, sourceOffset };
    this.#user = user;
  }

  heard(): void {
    this.#note((note) => void (note.heard = 1));
  }

  sent(): void {
    this.#note((note) => note.taken++);
  }

  queued(): void {
    this.#note((note) => {
      note.taken++;
      note.waiting++;
    });
  }

  left(): void {
    this.#note((note) => note.waiting--);
  }

  dropped(): void {
    this.#note((note) => {
      note.waiting--;
      note.dropped++;
    });
  }

  #note(add: (note: Note) => void): void {
    const note = this.#takes.noteOf(this.#origin, this.#user);
    if (note !== null) add(note);
  }
}
