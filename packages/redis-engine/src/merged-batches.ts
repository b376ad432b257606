import { numberIn, type InboxState } from './inbox-state.js';
import { sharedNumberIn } from './wire.js';

/** A batch as Redis answers it: id, header and body of each message in turn. */
export type Entry = readonly [id: Buffer, parts: readonly Buffer[]];

export interface Found {
  readonly inbox: readonly Entry[];
  readonly log: readonly Entry[];
}

export interface FoundBatch {
  readonly state: InboxState;
  readonly entry: Entry;
  /** Number of batches of the log right before it that are lost. */
  readonly lostOfLog: number;
}

export interface MergedBatches {
  /** What may be taken, in the order in which it was written. */
  readonly batches: readonly FoundBatch[];
  /** More of the answer may be taken once what lies before it in the log has come. */
  readonly isHeld: boolean;
}

/**
 * Puts what one answer has of an inbox and of the log beside it in order. A batch of the inbox says behind which batch of
 * the log it came; where the answer ends with a part of the inbox, nobody knows what lies before the rest of the log.
 *
 * `isSnapshot`: the answer has all there was at one moment, up to `limit` batches of each. Then what it does not have of
 * the log is gone. A connection that waits is told of one of the two only, and by early releases of Redis in a step of its own.
 */
export function mergedBatches(
  inbox: InboxState,
  found: Found,
  { limit, isSnapshot }: { limit: number; isSnapshot: boolean },
): MergedBatches {
  const { beside: log } = inbox;
  const batches: FoundBatch[] = [];
  let at = 0;
  let reached = log?.taken ?? Infinity;
  const takeLog = (upTo: number) => {
    for (; at < found.log.length; at++) {
      const entry = found.log[at]!;
      const number = numberOf(entry);
      if (number > upTo) return;
      batches.push({ state: log!, entry, lostOfLog: 0 });
      reached = Math.max(reached, number);
    }
  };
  for (const entry of found.inbox) {
    const before = sharedNumberIn(entry[1]);
    takeLog(before);
    if (before > reached && (!isSnapshot || found.log.length >= limit)) return { batches, isHeld: true };
    batches.push({ state: inbox, entry, lostOfLog: Math.max(0, before - reached) });
    reached = Math.max(reached, before);
  }
  if (found.inbox.length < limit) takeLog(Infinity);
  return { batches, isHeld: false };
}

function numberOf([id]: Entry): number {
  return numberIn(id.toString('latin1'));
}
