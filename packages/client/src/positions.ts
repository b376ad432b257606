import type { JoinedStream } from './frames.js';

/** Place of a client in a stream. Another epoch means that history was lost. */
export interface Position {
  readonly epoch: string;
  readonly offset: number;
}

/** Positions by stream name, as JSON: to be kept over a page reload. */
export type SavedPositions = Readonly<Record<string, Position>>;

export type StreamKind = 'own' | 'public' | 'room';

/** Meaning of a row about a stream for the application. */
export type Joined =
  | 'joined'
  | 'recovered'
  | 'lost'
  /** Messages were missed that no position had asked for: connect again, now it is asked for. */
  | 'behind';

export type Accepted =
  | 'new'
  | 'duplicate'
  /** New, and of another epoch than before: history was lost while the connection stayed. */
  | 'new_epoch';

interface Entry extends Position {
  /**
   * - `seen`: the message at `offset` and all before it need not come any more.
   * - `top`: where the stream was when we joined; the message at `offset` itself was not ours, but may still come.
   * - `awaited`: like `top`, and the gateway may be sending that very message (the newest value of a `latest` topic): it
   *   does so only to those who give no position, so none is given until it has come or some time has passed.
   */
  readonly state: 'seen' | 'top' | 'awaited';
}

/**
 * Knows where the client is in each stream, by the frames it was given. Decides what is a duplicate, and what to ask
 * for when the connection is made again. Does no I/O.
 */
export class Positions {
  readonly #entries = new Map<string, Entry>();

  /** Saved streams whose positions are none (any more): they lay in somebody else's storage meanwhile. */
  readonly unreadable: readonly string[];

  constructor(saved: SavedPositions = {}) {
    this.unreadable = Object.entries<Partial<Position> | null>(saved).flatMap(([stream, position]) => {
      const { epoch, offset } = position ?? {};
      if (!isPosition(epoch, offset)) return [stream];
      this.#entries.set(stream, { epoch, offset: offset!, state: 'seen' });
      return [];
    });
  }

  /** Takes what `connected` or an answer says of a stream. */
  join(row: JoinedStream, kind: StreamKind): Joined {
    const { stream, epoch, offset = 0, recovered, replayed = 0 } = row;
    // Without an epoch there is no history (yet): kept, it would be a position that no gateway can read.
    if (stream === undefined || !isPosition(epoch, row.offset)) return 'joined';
    const known = this.#entries.get(stream);
    if (recovered === undefined) return this.#begin({ stream, epoch, offset }, kind);
    if (recovered) {
      if (known === undefined) this.#entries.set(stream, { epoch, offset: offset - replayed, state: 'seen' });
      // Not moved to the row's offset: what is replayed up to there has not come yet.
      return 'recovered';
    }
    // History that came back shorter holds what we have had already.
    const had = known?.epoch === epoch ? Math.min(known.offset, offset) : 0;
    this.#entries.set(stream, { epoch, offset: Math.max(had, offset - replayed), state: 'seen' });
    return 'lost';
  }

  /** Takes a frame's position. A duplicate changes nothing. */
  accept(stream: string, { epoch, offset }: Position): Accepted {
    const known = this.#entries.get(stream);
    if (known?.epoch === epoch) {
      const first = known.state === 'seen' ? known.offset + 1 : known.offset;
      if (offset < first) return 'duplicate';
    }
    this.#entries.set(stream, { epoch, offset, state: 'seen' });
    // Nothing was there, and this is the first: the epoch of a stream that was never written changes with time.
    return !known || known.epoch === epoch || (!known.offset && offset === 1) ? 'new' : 'new_epoch';
  }

  /** The connection has lasted: what the gateway sends with the joining has come, or there was nothing. */
  settle(): void {
    for (const [stream, entry] of this.#entries) {
      if (entry.state === 'awaited') this.#entries.set(stream, { ...entry, state: 'top' });
    }
  }

  /** Returns the position to ask the gateway for. */
  get(stream: string): Position | null {
    const entry = this.#entries.get(stream);
    return entry === undefined || entry.state === 'awaited' ? null : { epoch: entry.epoch, offset: entry.offset };
  }

  /** Streams known of a topic, of whichever user. */
  ownStreamsOf(topic: string): string[] {
    return [...this.#entries.keys()].filter((stream) => stream.startsWith(`${topic}/u/`));
  }

  /** Forgets what a handshake for the topic would ask for; gives the names of the streams. */
  forgetAsked(topic: string): string[] {
    const asked = this.#streamsOf(topic).filter((stream) => this.get(stream) !== null);
    for (const stream of asked) this.forget(stream);
    return asked;
  }

  forget(stream: string): void {
    this.#entries.delete(stream);
  }

  forgetTopic(topic: string): void {
    for (const stream of this.#streamsOf(topic)) this.forget(stream);
  }

  /** A key of a topic is called as its only stream. */
  #streamsOf(topic: string): string[] {
    return topic.includes('/') ? [topic] : [...this.ownStreamsOf(topic), publicStream(topic)];
  }

  save(): SavedPositions {
    const saved: Record<string, Position> = {};
    for (const stream of this.#entries.keys()) {
      const position = this.get(stream);
      if (position !== null) saved[stream] = position;
    }
    return saved;
  }

  #begin(top: Position & { readonly stream: string }, kind: StreamKind): Joined {
    const { stream, epoch, offset } = top;
    const known = this.#entries.get(stream);
    if (known?.state === 'awaited' && (known.epoch !== epoch || known.offset !== offset)) {
      this.#entries.set(stream, { ...known, state: 'top' });
      return 'behind';
    }
    // Known and no position asked for: a second `subscribe` to what is subscribed. The frames say where we are.
    if (known !== undefined) return 'joined';
    // Only a user's own stream sends its newest value unasked, and only if there is one.
    this.#entries.set(stream, { epoch, offset, state: kind === 'own' && offset > 0 ? 'awaited' : 'top' });
    return 'joined';
  }
}

/**
 * Checks a position for the form that the gateway writes and reads; it would refuse the whole handshake for one that is
 * not.
 */
export function isPosition(epoch: unknown, offset: unknown): epoch is string {
  return (
    typeof epoch === 'string' &&
    /^[a-z\d]{1,32}$/i.test(epoch) &&
    Number.isSafeInteger(offset) &&
    (offset as number) >= 0
  );
}

export function publicStream(topic: string): string {
  return `${topic}/*`;
}

export function roomStream(room: string): string {
  return `room/${room}`;
}
