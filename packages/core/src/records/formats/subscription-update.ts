import type { PublishItem } from '../../engine.js';
import { subscriptionHead } from '../../frame.js';
import { isObject } from '../../json.js';
import { isName } from '../../names.js';
import { subscriptionStream } from '../../streams.js';
import { reject, type DecodedItems, type Rejection } from '../decoded.js';
import { fanOutRefusal } from '../fan-out.js';
import { parseObject } from '../json/json-object.js';
import { memberText } from '../json/member-text.js';
import type { DecodeInput } from '../message.js';
import { explained, jsonText } from '../value-text.js';

const UPDATE = 'update_subscription';

/**
 * Format `wss`: {"type":"update_subscription","document":{subscriptions, type, event, options, data}}. The
 * subscription ids are the audience, so `ws-audience` and the members of an envelope have no meaning here, nor have
 * `ws-id` and `ws-type`: the frame carries neither. `type` and `event` of the document are the producer's own affair.
 */
export function decodeSubscriptionUpdate(input: DecodeInput): DecodedItems | Rejection {
  const { policy, record, timeMs } = input;
  const text = jsonText(input.value);
  if (typeof text !== 'string') return text;
  const parsed = parseObject(text);
  if ('kind' in parsed) return explained(parsed, input.value);
  const { type, document } = parsed.object;
  if (type !== UPDATE) return reject('unknown_type', `type is not ${UPDATE}`);
  if (document === undefined) return reject('no_payload', 'there is no member document');
  if (!isObject(document)) return reject('bad_member', 'document is not an object');
  const ids = subscriptionIds(document.subscriptions);
  if ('kind' in ids) return ids;
  const reload = reloadOption(document.options);
  if (reload === undefined) return reject('bad_member', 'options.reload is neither true nor false');
  const payload = memberText(memberText(text, 'document')!, 'data');
  if (payload === null && !reload) return reject('no_payload', 'there is no member data in document');
  // Edges do not pass a message of status "reload" on: they ask the backend again for each connection of the id and send
  // its answer instead (edge/node/reloads.ts).
  const fields = { status: reload ? 'reload' : 'update', payload: payload ?? 'null' } as const;
  const refusal = fanOutRefusal(ids.length, fields.payload, input.context.maxRecordBytes);
  if (refusal !== null) return refusal;
  const items = ids.map((id): PublishItem => {
    const stream = subscriptionStream(id);
    const head = subscriptionHead({ id, ...fields }, policy.retention === null ? null : stream);
    const { retention } = policy;
    return { kind: 'channel', sourceOffset: record.offset, recordTimeMs: timeMs, head, stream, retention };
  });
  return { kind: 'items', type: UPDATE, items };
}

function subscriptionIds(value: unknown): readonly string[] | Rejection {
  if (value === undefined || value === null) return reject('no_audience', 'there are no subscriptions');
  if (!Array.isArray(value)) return reject('bad_member', 'subscriptions is not an array');
  if (value.length === 0) return reject('no_audience', 'subscriptions is empty');
  const ids = new Set<string>();
  for (const id of value as unknown[]) {
    if (typeof id !== 'string' || !isName(id)) return reject('bad_member', 'subscriptions holds what is not an id');
    ids.add(id);
  }
  return [...ids];
}

/** undefined: cannot be read. */
function reloadOption(options: unknown): boolean | undefined {
  if (options === undefined || options === null) return false;
  if (!isObject(options)) return undefined;
  const { reload } = options;
  if (reload === undefined || reload === null) return false;
  return typeof reload === 'boolean' ? reload : undefined;
}
