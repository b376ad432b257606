/** Where a node finds what is for it in one partition. */
export interface InboxPlace {
  readonly key: string;
  /** The log that the nodes of the partition share, and the id of the batch behind which it is read ('' for its beginning). */
  readonly log: { readonly key: string; readonly last: string } | null;
}

/** How far a node has come in one of its inboxes, or in a log that nodes share. */
export interface InboxState {
  readonly key: string;
  readonly isShared: boolean;
  /** The log of the inbox' partition, or the inbox beside this log; null: the node does not read the log. */
  readonly beside: InboxState | null;
  /** Number of the last batch that came, from the inbox or from the channel. */
  taken: number;
  /** Its id: number and Redis process. */
  takenId: string;
  /** The connection was lost since: that batch is asked for again, to see whether it is still the same. */
  doubted: boolean;
  /** Number of the last batch handed over. Redis keeps those behind it. */
  processed: number;
  /** Bytes handed over of which Redis has not been told. */
  bytesRead: number;
  /** Redis process that the inbox was last read from; 0: not on this connection. The channel may lead to another one. */
  server: number;
  /** Number of the last batch announced since the channel is listened to; 0: none. */
  announced: number;
  /** Number of the last batch read from the inbox since then. It must be announced, */
  found: number;
  /** and this one was read so long ago that it should have been. */
  due: number;
}

/** Batch ids are `<number>-<Redis process>`. This suffix sorts after every process. */
const LAST_OF_NUMBER = '-18446744073709551615';

/** An inbox that was opened just now, with the log beside it. */
export function newInbox({ key, log }: InboxPlace): InboxState {
  const inbox = { ...newState(key, ''), isShared: false, beside: null as InboxState | null };
  if (log !== null) inbox.beside = { ...newState(log.key, log.last), isShared: true, beside: inbox };
  return inbox;
}

function newState(key: string, last: string) {
  const taken = last === '' ? 0 : numberIn(last);
  const unread = { taken, takenId: last, doubted: false, processed: taken, bytesRead: 0 };
  return { key, ...unread, server: 0, announced: 0, found: 0, due: 0 };
}

/** The id behind which XREAD shall read. */
export function readFrom({ taken, doubted }: InboxState): string {
  return `${doubted ? taken - 1 : taken}${LAST_OF_NUMBER}`;
}

/** The number in a batch's id. */
export function numberIn(id: string): number {
  return Number.parseInt(id, 10);
}

/** The Redis process in a batch's id. */
export function serverIn(id: string): number {
  return Number(id.slice(id.indexOf('-') + 1));
}
