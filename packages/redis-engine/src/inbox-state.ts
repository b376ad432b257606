/** How far a node has come in one of its inboxes. */
export interface InboxState {
  readonly key: string;
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

export function newInbox(key: string): InboxState {
  const unread = { taken: 0, takenId: '', doubted: false, processed: 0, bytesRead: 0 };
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
