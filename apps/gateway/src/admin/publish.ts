import { randomUUID } from 'node:crypto';
import { userStream, type PublishItem, type TopicPolicy, type HttpRequest } from '@ws-gateway/core';
import { AdminError } from './admin-error.js';
import type { AdminDeps } from './route-context.js';
import { jsonBody } from './json-body.js';
import { messageItems } from './message.js';

/** Sends a message as a Kafka record of the topic would be sent, without Kafka. */
export async function publish(deps: AdminDeps, request: HttpRequest): Promise<object> {
  const { bytes, object } = await jsonBody(request, { mayBeEmpty: false });
  const policy = topicOf(deps.topics, object['topic']);
  const { id: given } = object;
  const made = given === undefined || given === null || given === '' ? randomUUID() : null;
  const items = messageItems(deps, policy, { value: bytes, id: made, key: keyOf(policy, object['key']) });
  const { items: results = [] } = await deps.engine.publish({ source: null, items });
  const routed = results.reduce((sum, { nodes }) => sum + nodes, 0);
  const position = results.length === 1 ? results[0]!.position : null;
  const at = position === null ? {} : { stream: streamOf(items[0]!), offset: position.offset };
  const published = { id: made ?? given, routed, ...at };
  deps.logger.info('message published by the admin api', { target: policy.name, ...published });
  return published;
}

/** The key that the message is for; of a topic without keys it is the key of a record, which nobody looks at. */
function keyOf({ keys }: TopicPolicy, key: unknown): string | null {
  if (keys === null || key === undefined || key === null || key === '') return null;
  if (typeof key === 'string') return key;
  throw new AdminError('bad_request', 'key: a key of the topic, as text');
}

function topicOf(topics: ReadonlyMap<string, TopicPolicy>, name: unknown): TopicPolicy {
  if (typeof name !== 'string') throw new AdminError('bad_request', 'topic: the name of a topic');
  const policy = topics.get(name);
  if (policy !== undefined) return policy;
  throw new AdminError('unknown_topic', `no topic of this name; there are: ${[...topics.keys()].join(', ')}`);
}

function streamOf(item: PublishItem): string {
  if (item.kind === 'all') throw new Error('a message to all has no position');
  return item.kind === 'channel' ? item.stream : userStream(item.topic, item.user);
}
