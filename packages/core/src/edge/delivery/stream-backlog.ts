import { takeOut } from './fan-out-group.js';

/** Members that a list of slow subscriptions needs of each of them. */
export interface SlowMember {
  /** Place in the list that it is in. */
  index: number;
  /** How far its socket is in what the stream keeps; null while it is served otherwise. */
  cursor: BacklogCursor | null;
}

/**
 * Frames of a stream with many subscribers that its slow sockets have not been given. They are kept once, and a socket
 * knows only how far it is: a message costs the same however many lag, and nothing is made of it for each of them.
 */
export class StreamBacklog<Member extends SlowMember> {
  readonly members: Member[] = [];
  readonly #frames = new KeptFrames();

  get length(): number {
    return this.#frames.length;
  }

  /** What comes from now on waits for this member. */
  add(member: Member): BacklogCursor {
    member.cursor = new BacklogCursor(this.#frames);
    member.index = this.members.push(member) - 1;
    return member.cursor;
  }

  /** What waits for it goes on waiting, and nothing is added. */
  remove(member: Member): void {
    takeOut(this.members, member);
    member.cursor!.end();
    member.cursor = null;
  }

  /** `order` says which of two frames of different streams came first. */
  append(frame: Uint8Array, order: number): void {
    this.#frames.append(frame, order);
  }

  /** Forgets what all sockets have been given. */
  forgetGiven(): void {
    this.#frames.forgetGiven();
  }
}

/** What waits for one slow socket in the backlog of one stream, oldest first. */
export class BacklogCursor {
  readonly #kept: KeptFrames;
  /** Number of the next frame that the socket is given. */
  next: number;
  /** Number of the first frame that is not for it; null: there is none yet. */
  #end: number | null = null;
  /** Order of the frame that waited first, if that was asked for; it stays when a newer frame takes its place. */
  #order: number | null = null;

  constructor(kept: KeptFrames) {
    this.#kept = kept;
    this.next = kept.end;
    kept.hold(this);
  }

  get length(): number {
    return (this.#end ?? this.#kept.end) - this.next;
  }

  get bytes(): number {
    return this.#kept.bytesBefore(this.#end ?? this.#kept.end) - this.#kept.bytesBefore(this.next);
  }

  get order(): number {
    if (this.length === 0) return Infinity;
    return (this.#order ??= this.#kept.at(this.next).order);
  }

  /** Nothing waits, and nothing will. */
  get isOver(): boolean {
    return this.#end === this.next;
  }

  shift(): Uint8Array {
    const { frame } = this.#kept.at(this.next++);
    this.#order = null;
    if (this.isOver) this.abandon();
    return frame;
  }

  /** Gives up the next frame, and the one behind it takes its place among those of other streams. */
  skip(): Uint8Array {
    const { order } = this;
    const frame = this.shift();
    this.#order = order;
    return frame;
  }

  end(): void {
    this.#end = this.#kept.end;
    if (this.isOver) this.abandon();
  }

  /** Its connection has ended. */
  abandon(): void {
    this.#kept.release(this);
  }
}

/** Frames by their numbers, which ascend without a gap. */
class KeptFrames {
  /** Cursors of sockets that something waits for, or may. */
  readonly #cursors = new Set<BacklogCursor>();
  #frames: KeptFrame[] = [];
  /** Number of the first one. */
  #first = 0;
  /** Bytes of all frames that ever came. */
  #bytes = 0;

  get length(): number {
    return this.#frames.length;
  }

  /** Number that the next frame gets. */
  get end(): number {
    return this.#first + this.#frames.length;
  }

  at(number: number): KeptFrame {
    return this.#frames[number - this.#first]!;
  }

  bytesBefore(number: number): number {
    return number === this.end ? this.#bytes : this.at(number).bytesBefore;
  }

  append(frame: Uint8Array, order: number): void {
    this.#frames.push({ frame, order, bytesBefore: this.#bytes });
    this.#bytes += frame.length;
  }

  hold(cursor: BacklogCursor): void {
    this.#cursors.add(cursor);
  }

  release(cursor: BacklogCursor): void {
    this.#cursors.delete(cursor);
    // Nothing may come that would make room.
    if (this.#cursors.size === 0) this.forgetGiven();
  }

  forgetGiven(): void {
    let first = this.end;
    for (const { next } of this.#cursors) first = Math.min(first, next);
    const count = first - this.#first;
    // Half of them at once, so that each is moved about once.
    if (count === 0 || count * 2 < this.#frames.length) return;
    this.#frames.splice(0, count);
    this.#first = first;
  }
}

interface KeptFrame {
  readonly frame: Uint8Array;
  readonly order: number;
  /** Bytes of all frames that came before it. */
  readonly bytesBefore: number;
}
