import { isUserId } from '../../names.js';
import { audienceOf, isAbsent, usersOf } from '../audience.js';
import { reject, type Rejection } from '../decoded.js';
import { parseObject } from '../json/json-object.js';
import { memberText } from '../json/member-text.js';
import type { DecodeInput, Message } from '../message.js';
import { explained, jsonText } from '../value-text.js';
import { scanEnvelope } from './envelope-scan.js';
import { optionalText, type Members } from './members.js';

/** Format `envelope`: {id, type, user_id, payload, timestamp} and the members that name an audience. */
export function decodeEnvelope(input: DecodeInput): Message | Rejection {
  const text = jsonText(input.value);
  if (typeof text !== 'string') return text;
  const envelope = readEnvelope(text);
  if ('kind' in envelope) return explained(envelope, input.value);
  const { members, payload } = envelope;
  if (payload === null) return reject('no_payload', 'there is no member payload');
  const { headers, policy, record, context } = input;
  const id = headers.id ?? optionalText(members.id);
  const type = headers.type ?? optionalText(members.type);
  const timestamp = optionalText(members.timestamp);
  if (id === undefined || type === undefined || timestamp === undefined) {
    return reject('bad_member', `${id === undefined ? 'id' : type === undefined ? 'type' : 'timestamp'} is not text`);
  }
  const source = { policy, record, context, members };
  const audience = policy.blocks ? usersOf(source) : audienceOf(source);
  if (audience.kind === 'dead_letter') return audience;
  const about = members.user_id;
  // Whom the frame is about is said by its producer or not at all, whoever gets it.
  if (audience.kind !== 'users' && !isAbsent(about) && !(typeof about === 'string' && isUserId(about))) {
    return reject('bad_member', 'user_id is not a user id');
  }
  const subject = typeof about === 'string' && about !== '' ? about : null;
  return { kind: 'message', audience, about: subject, id, type, timestamp, payload };
}

function readEnvelope(text: string): { readonly members: Members; readonly payload: string | null } | Rejection {
  const scanned = scanEnvelope(text);
  if (scanned !== null) return scanned;
  const parsed = parseObject(text);
  if ('kind' in parsed) return parsed;
  // JSON.parse makes `__proto__` a member like any other, and no name of Members is on Object.prototype.
  return { members: parsed.object as unknown as Members, payload: memberText(text, 'payload') };
}
