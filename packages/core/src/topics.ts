import type { RecordFormat } from './records/formats/formats.js';
import type { Condition, RecordMap } from './records/map/selector.js';
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
}

/** The policy of a stream that is not kept: its messages reach those who are there. */
export function unretainedPolicy(name: string): StreamPolicy {
  return { ...streamDefaults, name, type: name, retention: null };
}

/** A topic as the defaults of the configuration make it. */
export function defaultTopicPolicy(name: string): TopicPolicy {
  return {
    ...streamDefaults,
    name,
    type: name,
    retention: { mode: 'ordered', size: 100, ttlMs: 3_600_000 },
    kafkaTopic: name,
    format: 'envelope',
    map: {},
    when: [],
    tombstone: 'dead-letter',
    ttlMs: 0,
    guests: false,
    clientVisible: true,
    audienceFromKey: false,
    blocks: false,
  };
}

const streamDefaults = { slow: 'queue', queueBytes: 256 * 1024, snapshot: false, ack: false } as const;

/** One topic as configured, with nothing left to default. */
export interface TopicPolicy extends StreamPolicy {
  /** The Kafka topic that feeds it. */
  readonly kafkaTopic: string;
  /** Format of its records. */
  readonly format: RecordFormat;
  /** Map of where a record has what a message needs; {} for formats without a map. */
  readonly map: RecordMap;
  /** Records that do not meet all of these become no message. */
  readonly when: readonly Condition[];
  /** Meaning of a record without a value. `delete` is for topics of mode `latest`. */
  readonly tombstone: 'dead-letter' | 'skip' | 'delete';
  /** Records older than this on arrival are not delivered; 0: any age will do. */
  readonly ttlMs: number;
  /** Connections without a user may subscribe to the public stream. */
  readonly guests: boolean;
  readonly clientVisible: boolean;
  /** A record that names no audience is for the user in its key. */
  readonly audienceFromKey: boolean;
  /** Records block and unblock users. */
  readonly blocks: boolean;
}
