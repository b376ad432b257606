/** Everything that a message for a user can end in. Each message of a topic with deliveries ends in exactly one. */
export const outcomes = ['delivered', 'acked', 'unacked', 'offline', 'expired', 'dropped'] as const;

export type Outcome = (typeof outcomes)[number];

/** How long a topic waits for what becomes of its messages. */
export interface Tracking {
  /** Time in ms from the message's arrival in the engine in which a connection of its user may take it. */
  readonly offlineAfterMs: number;
  /** Time in ms from the moment it was taken in which its client may acknowledge it; 0: clients of the topic do not. */
  readonly ackTimeoutMs: number;
}

/** What the engine is told of a message whose outcome is wanted. */
export interface Ticket extends Tracking {
  /** End of the message's life in ms since the epoch; 0: it has none. */
  readonly endsAtMs: number;
  /** Words about the message that come back with its outcome, on one line. */
  readonly about: string;
}

/** What tells messages apart: the record and the stream (see StreamMessage). */
export interface MessageOrigin {
  readonly stream: string;
  readonly source: number;
  readonly sourceOffset: number;
}

/** The name of a message in a ledger. */
export function ledgerKey({ stream, source, sourceOffset }: MessageOrigin): string {
  return `${source} ${sourceOffset} ${stream}`;
}

/** What a node has seen of a message since it last said so. Counts are added to what is known. */
export interface TakeNote extends MessageOrigin {
  readonly user: string;
  /** 1: this node was handed the message and says what became of it; 0: it said so before, or read it in the history. */
  readonly heard: 0 | 1;
  /** Connections that took it: to the socket, or into the queue of one that does not keep up. */
  readonly taken: number;
  /** Those of them that have it waiting, less those that had and have not any more. */
  readonly waiting: number;
  /** Those of them whose queue gave it up. */
  readonly dropped: number;
}

/** A message whose outcome is final. */
export interface DecidedMessage {
  readonly outcome: Outcome;
  /** Connections that took it. */
  readonly connections: number;
  /** When it was so, in ms since the epoch. */
  readonly atMs: number;
  /** Its ticket's words. */
  readonly about: string;
}

/** Decided messages of one part of the store, oldest first. */
export interface OutcomePage {
  readonly messages: readonly DecidedMessage[];
  /** Proof that these were read, for the call that confirms them. */
  readonly receipt: string;
  /** Messages of this part that are not decided yet. */
  readonly pending: number;
  /** Messages since the last page whose outcome nobody will hear of, because too many waited. */
  readonly lost: number;
}

/** Decides what became of messages with a ticket, and keeps it until it is read. */
export interface OutcomeStore {
  /** Parts that decide each for itself, about the messages of its users. */
  readonly parts: number;
  /** Takes note of what a node has seen. What is known to be final changes no more. Rejects with EngineError. */
  note(notes: readonly TakeNote[]): Promise<void>;
  /**
   * Decides about messages of a part whose time is over, and reads the oldest of those that are decided: they stay until
   * they are confirmed by the receipt of their page. One node at a time does this for a part; null: it is another one.
   */
  page(part: number, receipt: string | null): Promise<OutcomePage | null>;
}
