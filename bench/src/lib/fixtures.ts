/** What the gateway's own parts need when a measurement puts them together itself. */
import { defaultMessageType, type Logger, type TopicPolicy } from '@ws-gateway/core';

/** A topic as the gateway's defaults make it. */
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

/** Troubles only, to stderr. */
export const logger: Logger = {
  error: (message, fields) => console.error(message, fields),
  warn: (message, fields) => console.error(message, fields),
  info: () => undefined,
  debug: () => undefined,
  child: () => logger,
};
