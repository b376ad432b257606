/** What the gateway's own parts need when a measurement puts them together itself. */
import { defaultMessageType, type Logger, type TopicPolicy } from '@ws-gateway/core';

/** Makes a topic with the gateway's defaults. */
export function defaultPolicy(name: string, kafkaTopic = name): TopicPolicy {
  return {
    name,
    kafkaTopic,
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
  };
}

/** Writes warnings and errors to stderr, and nothing else. */
export const logger: Logger = {
  error: (message, fields) => console.error(message, fields),
  warn: (message, fields) => console.error(message, fields),
  info: () => undefined,
  debug: () => undefined,
  child: () => logger,
};
