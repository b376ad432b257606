import type { Block, PublishItem } from '../engine.js';
import { pushHead, type PushFields } from '../frame.js';
import { isUserId } from '../names.js';
import { userStream } from '../streams.js';
import { audienceOf, usersOf, type Audience, type UsersAudience } from './audience.js';
import type { DecodeInput } from './decode-record.js';
import { reject, type Rejection, type Decoded } from './decoded.js';
import { scanEnvelope } from './envelope-scan.js';
import { fanOutRefusal } from './fan-out.js';
import { parseObject } from './json-object.js';
import { memberText } from './member-text.js';
import { optionalText, type Members } from './members.js';
import { formatRfc3339 } from './rfc3339.js';
import { readBlock } from './user-block.js';

/** Format `envelope`: {id, type, user_id, payload, timestamp} and the members that name an audience. */
export function decodeEnvelope(decodeInput: DecodeInput): Decoded {
  const envelope = readEnvelope(decodeInput.text);
  if ('kind' in envelope) return envelope;
  const { members, payload } = envelope;
  if (payload === null) return reject('no_payload', 'there is no member payload');
  const { policy, record, context, headers, timeMs } = decodeInput;
  const input: EnvelopeInput = { policy, record, context, headers, timeMs, members, payload };
  const fields = fieldsOf(input);
  if ('kind' in fields) return fields;
  if (input.policy.blocks) return blocksOf(input, fields);
  const audience = audienceOf(input);
  if (audience.kind === 'dead_letter') return audience;
  return audience.kind === 'users' ? forUsers(input, fields, audience) : forMany(input, fields, audience);
}

interface EnvelopeInput extends Omit<DecodeInput, 'text'> {
  readonly members: Members;
  /** As written. */
  readonly payload: string;
}

function readEnvelope(text: string): { readonly members: Members; readonly payload: string | null } | Rejection {
  const scanned = scanEnvelope(text);
  if (scanned !== null) return scanned;
  const parsed = parseObject(text);
  if ('kind' in parsed) return parsed;
  // JSON.parse makes `__proto__` a member like any other, and no name of Members is on Object.prototype.
  return { members: parsed.object as unknown as Members, payload: memberText(text, 'payload') };
}

/** user-blocks: the frame, and what to do about the user. */
function blocksOf(input: EnvelopeInput, fields: PushFields): Decoded {
  const block = readBlock(JSON.parse(input.payload), input.context.nowMs);
  if (block !== null && 'kind' in block) return block;
  const audience = usersOf(input);
  return audience.kind === 'dead_letter' ? audience : forUsers(input, fields, audience, { block });
}

function forUsers(
  input: EnvelopeInput,
  fields: PushFields,
  audience: UsersAudience,
  blocking: { readonly block: Block | null } | null = null,
): Decoded {
  const { policy, record, context } = input;
  const { users } = audience;
  const refusal = fanOutRefusal(users.length, fields.payload, context.maxRecordBytes);
  if (refusal !== null) return refusal;
  const items = users.map((user): PublishItem => {
    const { name: topic, retention } = policy;
    const head = pushHead(fields, user, retention === null ? null : userStream(topic, user));
    const base = { sourceOffset: record.offset, recordTimeMs: input.timeMs, head, topic, user, retention };
    return blocking === null ? { kind: 'user', ...base } : { kind: 'block', ...base, block: blocking.block };
  });
  return { kind: 'items', type: fields.type, items };
}

/** To a channel or to all. The frame's `user_id` then is whom the record is about, when it says so. */
function forMany(input: EnvelopeInput, fields: PushFields, audience: Exclude<Audience, UsersAudience>): Decoded {
  const user = input.members.user_id ?? null;
  if (user !== null && !(typeof user === 'string' && isUserId(user))) {
    return reject('bad_member', 'user_id is not a user id');
  }
  const stream = audience.kind === 'channel' && audience.retention !== null ? audience.stream : null;
  const base = {
    sourceOffset: input.record.offset,
    recordTimeMs: input.timeMs,
    head: pushHead(fields, user, stream),
  };
  return { kind: 'items', type: fields.type, items: [{ ...base, ...audience }] };
}

/** What the frame says, but for the user. */
function fieldsOf({
  policy,
  record,
  headers,
  context,
  members,
  payload,
  timeMs,
}: EnvelopeInput): PushFields | Rejection {
  const id = headers.id ?? optionalText(members.id);
  const type = headers.type ?? optionalText(members.type);
  const timestamp = optionalText(members.timestamp);
  if (id === undefined || type === undefined || timestamp === undefined) {
    const name = id === undefined ? 'id' : type === undefined ? 'type' : 'timestamp';
    return reject('bad_member', `${name} is not text`);
  }
  return {
    event: policy.name,
    topic: policy.name,
    id: id ?? `${policy.kafkaTopic}:${context.partition}:${record.offset}`,
    type: type ?? policy.type,
    timestamp: timestamp ?? formatRfc3339(timeMs),
    payload,
  };
}
