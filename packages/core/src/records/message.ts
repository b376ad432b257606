import type { PublishItem, UserItem } from '../engine.js';
import { pushHead, PushHeads, type PushFields } from '../frame.js';
import type { SourceRecord } from '../record-source.js';
import { publicStream, userStream } from '../streams.js';
import type { Ticket, Tracking } from '../outcomes/outcome.js';
import { ticketOf } from '../outcomes/ticket.js';
import type { RecordPolicy } from './record-policy.js';
import type { Audience, UsersAudience } from './audience.js';
import { expired, reject, type DecodeContext, type DecodedItems, type Expired, type Rejection } from './decoded.js';
import { fanOutRefusal } from './fan-out.js';
import { APPLIED_HEADER, type RecordHeaders } from './headers.js';
import { formatRfc3339 } from './rfc3339.js';
import { SharedBlock, SharedItem, type BlockFields } from './shared-item.js';
import { readBlock } from './user-block.js';

/** A record whose headers are read, and which is young enough. */
export interface DecodeInput {
  readonly policy: RecordPolicy;
  readonly record: SourceRecord;
  /** Value of the record. */
  readonly value: Buffer;
  readonly context: DecodeContext;
  readonly headers: RecordHeaders;
  readonly timeMs: number;
}

/** Message that a record says, whatever its format. Null members take their defaults. */
export interface Message {
  readonly kind: 'message';
  readonly audience: Audience;
  /** Whom the message is about, when it goes to others than users. */
  readonly about: string | null;
  readonly id: string | null;
  readonly type: string | null;
  /** RFC 3339, but for an envelope's, which is its producer's own. */
  readonly timestamp: string | null;
  /** JSON text, as its producer wrote it. */
  readonly payload: string;
  /** How long it is worth while to deliver it, ms from the time of the record; 0: always. */
  readonly ttlMs?: number | null;
  /** True: the newest value of the stream is gone. */
  readonly deleted?: boolean;
}

/** Makes the frames of a message; of one that is too old what the engine is told where outcomes are wanted. */
export function itemsOf(input: Omit<DecodeInput, 'value'>, message: Message): DecodedItems | Rejection | Expired {
  const { policy, record, context, headers, timeMs } = input;
  const { audience } = message;
  const fields: PushFields = {
    event: policy.name,
    topic: policy.name,
    id: headers.id ?? message.id ?? `${policy.kafkaTopic}:${context.partition}:${record.offset}`,
    type: headers.type ?? message.type ?? policy.type,
    timestamp: message.timestamp ?? formatRfc3339(timeMs),
    payload: message.payload,
    deleted: message.deleted === true,
    key: audience.kind === 'channel' ? audience.key : undefined,
    traceparent: context.span?.inFrame === true ? context.span.trace : undefined,
  };
  const unheard = unheardAudience(policy, audience);
  if (unheard !== null) return unheard;
  const base = baseOf(input, message);
  if (policy.blocks) return blockItems(input, { fields, base }, audience as UsersAudience);
  if (policy.tracking !== null && isOver(input, message)) return expiredItems(input, { fields, base }, audience);
  if (audience.kind === 'users') return userItems(input, { fields, base }, audience);
  const retained = audience.kind === 'channel' && audience.retention !== null ? audience.stream : null;
  const head = pushHead(fields, message.about, retained);
  const item: PublishItem =
    audience.kind === 'all'
      ? { ...base, head, kind: 'all' }
      : { ...base, head, kind: 'channel', stream: audience.stream, retention: audience.retention };
  return { kind: 'items', type: fields.type, items: [item] };
}

/** A topic of keys has no other streams: what is for its users or for all its subscribers would reach nobody. */
function unheardAudience({ keys, name }: RecordPolicy, audience: Audience): Rejection | null {
  if (keys === null || audience.kind === 'all') return null;
  if (audience.kind === 'channel' && audience.stream !== publicStream(name)) return null;
  return reject('bad_audience', `topic ${name} is of keys: key:, room:, hub: or all can be its audience`);
}

/** What all items of a record have in common. */
interface MadeFields {
  readonly fields: PushFields;
  readonly base: ItemOrigin;
}

type ItemOrigin = Pick<PublishItem, 'sourceOffset' | 'recordTimeMs' | 'endsAtMs' | 'trace'>;

/** The topic's own limit is one on what arrives late; what the record says of itself holds in the history, too. */
function baseOf({ record, headers, context, timeMs }: Omit<DecodeInput, 'value'>, message: Message): ItemOrigin {
  const ttlMs = headers.ttlMs ?? message.ttlMs ?? 0;
  const { span } = context;
  const trace = span === undefined ? {} : { trace: span.trace };
  const origin = { sourceOffset: record.offset, recordTimeMs: timeMs, ...trace };
  return ttlMs > 0 ? { ...origin, endsAtMs: timeMs + ttlMs } : origin;
}

/** user-blocks: the frame, and what to do about the user. */
function blockItems(
  input: Omit<DecodeInput, 'value'>,
  made: MadeFields,
  audience: UsersAudience,
): DecodedItems | Rejection {
  const block = readBlock(JSON.parse(made.fields.payload), input.context.nowMs);
  if (block !== null && 'kind' in block) return block;
  const { record, headers } = input;
  const isTakenTwice = record.headers[APPLIED_HEADER] !== undefined && headers.id !== null;
  return userItems(input, made, audience, isTakenTwice ? { block, step: headers.id } : { block });
}

function userItems(
  input: Omit<DecodeInput, 'value'>,
  { fields, base }: MadeFields,
  { users }: UsersAudience,
  word: BlockFields | null = null,
): DecodedItems | Rejection {
  const { policy, context } = input;
  const refusal = fanOutRefusal(users.length, fields.payload, context.maxRecordBytes);
  if (refusal !== null) return refusal;
  const { name: topic, retention, tracking } = policy;
  const ticketFor = tracking === null ? null : ticketMaker(input, tracking, { id: fields.id, ...base });
  const heads = new PushHeads(fields);
  if (users.length > 1) {
    const shared = { ...base, topic, retention, heads };
    const itemOf = (user: string): PublishItem =>
      word === null ? new SharedItem(user, shared, ticketFor?.(user)) : new SharedBlock(user, shared, word);
    return { kind: 'items', type: fields.type, items: users.map(itemOf) };
  }
  const items = users.map((user): PublishItem => {
    const head = heads.head(user, retention === null ? null : userStream(topic, user));
    if (word !== null) return { ...base, ...word, kind: 'block', head, topic, user, retention };
    const item: UserItem = { ...base, kind: 'user', head, topic, user, retention };
    return ticketFor === null ? item : { ...item, ticket: ticketFor(user) };
  });
  return { kind: 'items', type: fields.type, items };
}

function isOver({ policy, headers, context, timeMs }: Omit<DecodeInput, 'value'>, message: Message): boolean {
  const ttlMs = headers.ttlMs ?? message.ttlMs ?? policy.ttlMs;
  return ttlMs > 0 && context.nowMs - timeMs > ttlMs;
}

/** What the engine is told of a message that is too old, where outcomes are wanted. */
function expiredItems(input: Omit<DecodeInput, 'value'>, { fields, base }: MadeFields, audience: Audience): Expired {
  const { name: topic, tracking } = input.policy;
  if (audience.kind !== 'users' || tracking === null) return expired;
  const ticketFor = ticketMaker(input, tracking, { id: fields.id, ...base });
  const item = { kind: 'expired', ...base, head: '', topic } as const;
  return { kind: 'expired', items: audience.users.map((user) => ({ ...item, user, ticket: ticketFor(user) })) };
}

function ticketMaker(
  { policy, record, context, timeMs }: Omit<DecodeInput, 'value'>,
  tracking: Tracking,
  { id, endsAtMs = 0 }: { readonly id: string; readonly endsAtMs?: number },
): (user: string) => Ticket {
  const { partition } = context;
  const message = { id, topic: policy.name, partition, offset: record.offset, timeMs, endsAtMs };
  return (user) => ticketOf(tracking, { ...message, user });
}
