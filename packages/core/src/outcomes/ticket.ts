import { quote } from '../frame.js';
import type { DecidedMessage, Ticket, Tracking } from './outcome.js';

/** A message as its producer will hear of it. */
export interface TrackedMessage {
  readonly id: string;
  /** Topic by the gateway's name. */
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly user: string;
  /** Time of the record in ms since the epoch. */
  readonly timeMs: number;
  /** End of its life in ms since the epoch; 0: it has none. */
  readonly endsAtMs: number;
}

/** Time in ms that a node's word of what its connections took may be on its way: it collects such words for 100 ms. */
const WORD_MS = 300;

export function ticketOf(tracking: Tracking, message: TrackedMessage): Ticket {
  const { id, topic, partition, offset, user, timeMs, endsAtMs } = message;
  const members =
    `"id":${quote(id)},"topic":${quote(topic)},"partition":${partition},"offset":${offset},` +
    `"user_id":${quote(user)}`;
  const offlineAfterMs = tracking.offlineAfterMs + WORD_MS;
  return { ...tracking, offlineAfterMs, endsAtMs, about: `${timeMs} ${members}` };
}

/** The user and the JSON text that a producer reads of a decided message. */
export function outcomeRecord({ about, outcome, connections, atMs }: DecidedMessage): { user: string; value: string } {
  const space = about.indexOf(' ');
  const timeMs = Number(about.slice(0, space));
  const members = about.slice(space + 1);
  const { user_id: user } = JSON.parse(`{${members}}`) as { user_id: string };
  const latencyMs = Math.max(0, Math.round(atMs - timeMs));
  const value =
    `{${members},"outcome":"${outcome}","connections":${connections},"latency_ms":${latencyMs},` +
    `"timestamp":"${new Date(atMs).toISOString()}"}`;
  return { user, value };
}
