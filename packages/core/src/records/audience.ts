import { isUtf8 } from 'node:buffer';
import { isName, isUserId } from '../names.js';
import type { SourceRecord } from '../record-source.js';
import { hubStream, keyStream, publicStream, roomStream, type Retention, type StreamName } from '../streams.js';
import type { RecordPolicy } from './record-policy.js';
import { reject, type Rejection, type DecodeContext } from './decoded.js';
import { headerText } from './headers.js';
import type { Members } from './formats/members.js';

/** Who gets a record. */
export type Audience = UsersAudience | ChannelAudience | { readonly kind: 'all' };

export interface UsersAudience {
  readonly kind: 'users';
  /** Users: at least one, each once. */
  readonly users: readonly string[];
}

export interface ChannelAudience {
  readonly kind: 'channel';
  readonly stream: StreamName;
  readonly retention: Retention | null;
  /** Key of the topic whose stream it is. */
  readonly key?: string;
}

const all: Audience = { kind: 'all' };

/** A record read so far. */
export interface AudienceSource {
  readonly policy: RecordPolicy;
  readonly record: SourceRecord;
  readonly members: Members;
  readonly context: DecodeContext;
}

/**
 * The first rule that applies decides (docs/records.md has the list), and when it cannot be read the record is a dead letter: a rule that
 * was meant to narrow the audience must never widen it by failing. Members that are null count as absent (many
 * serialisers write every member), and so do empty texts (others write their zero values); members of rules that are not reached are not looked at.
 */
export function audienceOf(source: AudienceSource): Audience | Rejection {
  const ofHeader = audienceOfHeader(source);
  if (ofHeader !== null) return ofHeader;
  const { users, room, hub, broadcast } = source.members;
  if (users !== undefined && users !== null) return audienceOfUsers(users);
  if (!isAbsent(room)) return audienceOfRoom(room, source.context);
  if (!isAbsent(hub)) return audienceOfHub(hub);
  if (broadcast !== undefined && broadcast !== null && broadcast !== false) {
    // `all`, not `topic`: a broadcast goes to every socket, as gRPC's Broadcast does, while what goes to a topic's
    // subscribers is called public.
    return broadcast === true ? all : reject('bad_member', 'broadcast is neither true nor false');
  }
  return audienceOfOneUser(source);
}

/** Finds the users, for topics whose records are about users only (user-blocks): `users`, `user_id`, record key. */
export function usersOf(source: AudienceSource): UsersAudience | Rejection {
  const { users } = source.members;
  return users !== undefined && users !== null ? audienceOfUsers(users) : audienceOfOneUser(source);
}

function audienceOfOneUser({ policy, record, members }: AudienceSource): UsersAudience | Rejection {
  const user = members.user_id;
  if (!isAbsent(user)) {
    if (typeof user === 'string' && isUserId(user)) return { kind: 'users', users: [user] };
    return reject('bad_member', 'user_id is not a user id');
  }
  if (!policy.audienceFromKey || record.key === null || record.key.length === 0) {
    return reject('no_audience', 'neither a header nor a member says who shall get the record');
  }
  return userOfKey(record.key);
}

/** The user whom the record key names. */
export function userOfKey(recordKey: Buffer): UsersAudience | Rejection {
  const key = isUtf8(recordKey) ? recordKey.toString('utf8') : '';
  return isUserId(key)
    ? { kind: 'users', users: [key] }
    : reject('bad_member', 'the record key, which names the audience, is not a user id');
}

export function isAbsent(member: unknown): member is undefined | null | '' {
  return member === undefined || member === null || member === '';
}

export function audienceOfUsers(users: unknown): UsersAudience | Rejection {
  if (!Array.isArray(users)) return reject('bad_member', 'users is not an array');
  if (users.length === 0) return reject('no_audience', 'users is empty');
  const distinct = new Set<string>();
  for (const user of users as unknown[]) {
    if (typeof user !== 'string' || !isUserId(user)) return reject('bad_member', 'users holds what is not a user id');
    distinct.add(user);
  }
  return { kind: 'users', users: [...distinct] };
}

export function audienceOfRoom(room: unknown, context: DecodeContext): ChannelAudience | Rejection {
  if (typeof room !== 'string' || !isName(room)) return reject('bad_audience', 'room is not a name');
  return { kind: 'channel', stream: roomStream(room), retention: context.roomRetention };
}

export function audienceOfHub(hub: unknown): ChannelAudience | Rejection {
  if (typeof hub !== 'string' || !isName(hub)) return reject('bad_audience', 'hub is not a name');
  return { kind: 'channel', stream: hubStream(hub), retention: null };
}

/** What a map calls `keyed`. */
export function audienceOfKey(key: string, { name, retention }: RecordPolicy): ChannelAudience | Rejection {
  if (!isUserId(key)) return reject('bad_member', 'is not a key');
  return { kind: 'channel', stream: keyStream(name, key), retention, key };
}

/** Reads `ws-audience`; null: the record has no such header. */
export function audienceOfHeader(
  source: Pick<AudienceSource, 'record' | 'policy' | 'context'>,
): Audience | Rejection | null {
  const header = source.record.headers['ws-audience'];
  // The name is asked for, not the value: a header without a value is there, and cannot be read.
  if (header === undefined && !('ws-audience' in source.record.headers)) return null;
  // Twice the header is two audiences, and which one was meant cannot be known.
  if (Array.isArray(header) && header.length > 1) return reject('bad_audience', 'header ws-audience is there twice');
  return audienceOfText(headerText(header), 'header ws-audience', source);
}

/** The language of `ws-audience`. `name` is what the text is called when it cannot be read. */
export function audienceOfText(
  text: string | null | undefined,
  name: string,
  { policy, context }: Pick<AudienceSource, 'policy' | 'context'>,
): Audience | Rejection {
  if (text === 'all') return all;
  if (text === 'topic') return { kind: 'channel', stream: publicStream(policy.name), retention: policy.retention };
  const colon = text?.indexOf(':') ?? -1;
  const target = text?.slice(colon + 1) ?? '';
  // An empty name makes the header unreadable; a name that is there but bad is refused as any other.
  if (colon > 0 && target !== '') {
    const kind = text?.slice(0, colon);
    if (kind === 'user') return audienceOfUsers([target]);
    if (kind === 'users' && !target.split(',').includes('')) return audienceOfUsers(target.split(','));
    if (kind === 'room') return audienceOfRoom(target, context);
    if (kind === 'hub') return audienceOfHub(target);
    if (kind === 'key' && policy.keys !== null) return audienceOfKey(target, policy);
  }
  const forms = policy.keys === null ? 'user:, users:, topic' : 'key:';
  return reject('bad_audience', `${name} is not ${forms}, room:, hub: or all`);
}
