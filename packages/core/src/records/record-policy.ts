import type { StreamPolicy } from '../stream-policy.js';
import type { Condition, RecordMap } from './map/selector.js';

/** A topic as far as the reading of its records depends on it, whatever their format. */
export interface RecordPolicy extends StreamPolicy {
  /** The Kafka topic that feeds it. */
  readonly kafkaTopic: string;
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
  /** Rules of a topic of keys, whose streams are those of its keys and no others; null: it has no keys. */
  readonly keys: KeyRules | null;
}

export interface KeyRules {
  /** Keys of the topic that one connection may be subscribed to. */
  readonly perConnection: number;
  /** Claim of the token that lists the keys which its bearer may have; null: any key. */
  readonly claim: string | null;
}
