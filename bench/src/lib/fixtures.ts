/** What the gateway's own parts need when a measurement puts them together itself. */
import { defaultTopicPolicy, type Logger, type TopicPolicy } from '@ws-gateway/core';

/** Makes a topic with the gateway's defaults. */
export function defaultPolicy(name: string, kafkaTopic = name): TopicPolicy {
  return { ...defaultTopicPolicy(name), kafkaTopic };
}

/** Writes warnings and errors to stderr, and nothing else. */
export const logger: Logger = {
  error: (message, fields) => console.error(message, fields),
  warn: (message, fields) => console.error(message, fields),
  info: () => undefined,
  debug: () => undefined,
  child: () => logger,
};
