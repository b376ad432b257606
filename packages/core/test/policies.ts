import { defaultMessageType, type TopicPolicy } from '../src/index.js';

/** A topic with the defaults of the configuration, for tests. */
export function topicPolicy(name: string, changes: Partial<TopicPolicy> = {}): TopicPolicy {
  return {
    name,
    kafkaTopic: name,
    type: defaultMessageType(name),
    format: 'envelope',
    retention: { mode: 'ordered', size: 100, ttlMs: 3_600_000 },
    slow: 'queue',
    queueBytes: 256 * 1024,
    ttlMs: 0,
    ack: false,
    snapshot: false,
    guests: false,
    clientVisible: true,
    audienceFromKey: false,
    blocks: false,
    ...changes,
  };
}
