import type { TopicPolicy } from '@ws-gateway/core';
import type { Config } from '../config/config.js';

const PAYLOAD = '{"title":"Hello","body":"from Kafka"}';

/** Options of the lines that write a record. */
export interface ExampleOptions {
  readonly program: string;
  readonly user: string;
  readonly brokers: string;
  /** Flags that make the program mean the same topics. */
  readonly flags: string;
}

/**
 * Chooses the topic that examples are made with: one whose records the gateway's own commands can write for a user, if
 * there is one. null: none that a client can subscribe to by its name alone.
 */
export function exampleTopic(config: Config): TopicPolicy | null {
  const topics = [...config.topics.values()].filter(
    ({ clientVisible, map }) => clientVisible && map.keyed === undefined,
  );
  return (
    topics.find(({ name, format }) => name === 'notifications' && format === 'envelope') ??
    topics.find(({ format }) => format === 'envelope') ??
    topics.find(isPlain) ??
    topics[0] ??
    null
  );
}

/** Lines that write a record to the topic for the user, which work as they are; none where only others can write it. */
export function produceLines(topic: TopicPolicy, { program, user, brokers, flags }: ExampleOptions): string[] {
  const kcat = `kcat -P -b ${brokers} -t ${topic.kafkaTopic}`;
  if (topic.format === 'envelope') {
    return [
      `${program} produce ${topic.name} --user ${user} --payload '${PAYLOAD}'${flags}`,
      `echo '{"user_id":"${user}","payload":${PAYLOAD}}' | ${kcat} -k ${user}`,
    ];
  }
  // Whatever the map says, the header says who gets it.
  const header = `ws-audience=user:${user}`;
  return isPlain(topic)
    ? [
        `${program} produce ${topic.name} --header ${header} --payload '${PAYLOAD}'${flags}`,
        `echo '${PAYLOAD}' | ${kcat} -H ${header}`,
      ]
    : [];
}

/** Lines that say what the records of the topics with a map become. */
export function explainLines(config: Config, { program, flags }: ExampleOptions): string[] {
  const mapped = [...config.topics.values()].filter(({ map }) => Object.keys(map).length > 0);
  return mapped.map(({ name }) => `${program} explain ${name} --last 10${flags}`);
}

/** Takes any JSON. */
function isPlain({ format, map, when }: TopicPolicy): boolean {
  return (format === 'json' || format === 'text') && when.length === 0 && isWhole(map.payload);
}

function isWhole(payload: readonly string[] | undefined): boolean {
  return payload !== undefined && payload.includes('value:');
}
