/** What a policy did with a frame: it waits, something was given up for it (or it was), or the connection must close. */
export type SlowVerdict = 'queued' | 'acted' | 'full';

/** A frame for a client that does not keep up. */
export interface OfferedFrame {
  /** null: an answer, a broadcast or another frame without a stream. */
  readonly stream: string | null;
  readonly bytes: Uint8Array;
  /** Told what becomes of it here; null: nobody wants to know. */
  readonly fate: FrameFate | null;
}

/** Told once what became of a frame that waited. */
export interface FrameFate {
  /** It was sent, or its connection has ended. */
  left(): void;
  /** It was given up for another one. */
  dropped(): void;
}

/** What waits under one bound, as a policy sees it: the frames of one topic for one client. */
export interface SlowShare {
  /** A single frame that is larger than the bound has room, too: it could never be delivered otherwise. */
  hasRoomFor(frame: OfferedFrame): boolean;
  append(frame: OfferedFrame): void;
  dropOldest(): void;
  /** Puts the frame in the place of the one of its stream that waits; false when none does. */
  replace(frame: OfferedFrame): boolean;
  /** More waits than has room. */
  readonly isOver: boolean;
  /** Gives up all but the newest frame of each shared stream, which takes the place of the oldest; false: none was given up. */
  keepNewest(): boolean;
}

/** What is done with a client that reads more slowly than its messages arrive. */
export interface SlowPolicy {
  /** Its meaning in the documentation of the configuration. */
  readonly summary: string;
  /** Decides about one more frame. Runs for every frame of a slow client, so it must not depend on how many wait. */
  offer(share: SlowShare, frame: OfferedFrame): SlowVerdict;
  /** Decides about what a batch brought by streams with many subscribers: it waits already, kept once for all slow clients. */
  fit(share: SlowShare): SlowVerdict;
}
