import type { Tracking } from './outcomes/outcome.js';
import type { SlowPolicyName } from './slow-policies.js';
import type { Retention } from './streams.js';

/** How one kind of stream is kept and delivered: what topics, rooms, hubs and subscription ids have in common. */
export interface StreamPolicy {
  /** Name for metrics and queues; of a topic the name that clients subscribe to. */
  readonly name: string;
  /** The `type` of messages that name none. */
  readonly type: string;
  /** Retention; null: no history. */
  readonly retention: Retention | null;
  readonly slow: SlowPolicyName;
  /** Limit of a slow client's queue. */
  readonly queueBytes: number;
  /** A client without a position gets the newest value. */
  readonly snapshot: boolean;
  /** Clients acknowledge; one without a position gets everything behind its user's last acknowledgement. */
  readonly ack: boolean;
  /** What becomes of its messages to users is told; null: it is not. */
  readonly tracking: Tracking | null;
}

/** The policy of a stream that is not kept: its messages reach those who are there. */
export function unretainedPolicy(name: string): StreamPolicy {
  return { ...streamDefaults, name, type: name, retention: null };
}

/** What a stream of the configuration's defaults and one that is not kept have in common. */
export const streamDefaults = {
  slow: 'queue',
  queueBytes: 256 * 1024,
  snapshot: false,
  ack: false,
  tracking: null,
} as const;
