import type { RecordFormat } from './records/formats/formats.js';
import type { RecordPolicy } from './records/record-policy.js';
import { streamDefaults } from './stream-policy.js';

/** One topic as configured, with nothing left to default. */
export interface TopicPolicy extends RecordPolicy {
  /** Format of its records. */
  readonly format: RecordFormat;
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
    keys: null,
  };
}
