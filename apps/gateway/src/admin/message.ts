import { APPLIED_HEADER, RecordDecoder, type PublishItem, type TopicPolicy } from '@ws-gateway/core';
import { AdminError } from './admin-error.js';
import type { AdminDeps } from './route-context.js';

/**
 * Reads a message as a Kafka record of the topic would be read, so that audience, validation and frame are the same
 * whichever way a message comes. Throws AdminError with `reason`: what would be `dlq-error` of such a record.
 */
export function messageItems(
  deps: Pick<AdminDeps, 'maxRecordBytes' | 'roomRetention'>,
  policy: TopicPolicy,
  message: { value: Buffer; id: string | null; key?: string | null; isApplied?: boolean },
): readonly PublishItem[] {
  const nowMs = Date.now();
  const { maxRecordBytes, roomRetention } = deps;
  const headers = {
    ...(message.id !== null && { 'ws-id': message.id }),
    ...(message.isApplied && { [APPLIED_HEADER]: '1' }),
    ...(message.key && { 'ws-audience': `key:${message.key}` }),
  };
  const record = { offset: -1, timestamp: nowMs, key: null, value: message.value, headers };
  const decoded = decoderOf(policy).decode(record, { partition: 0, nowMs, maxRecordBytes, roomRetention });
  if (decoded.kind === 'items') return decoded.items;
  // It was made this very moment.
  if (decoded.kind !== 'dead_letter') throw new Error(`a message of the admin API is ${decoded.kind}`);
  const reason = decoded.error;
  if (reason === 'too_large') throw new AdminError('body_too_large', decoded.message, { reason });
  const audiences = policy.keys === null ? 'user_id, users' : 'key';
  const text = reason === 'no_audience' ? `one of ${audiences}, room, hub, broadcast is needed` : decoded.message;
  throw new AdminError('bad_request', text, { reason });
}

const decoders = new WeakMap<TopicPolicy, RecordDecoder>();

/** A message of the API is an envelope, whatever the records of its topic look like. */
function decoderOf(policy: TopicPolicy): RecordDecoder {
  let decoder = decoders.get(policy);
  if (decoder === undefined) {
    const format = policy.format === 'wss' ? 'wss' : 'envelope';
    decoder = new RecordDecoder({ ...policy, format, map: {}, when: [] }, null);
    decoders.set(policy, decoder);
  }
  return decoder;
}
