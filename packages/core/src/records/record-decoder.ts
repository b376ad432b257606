import type { SourceRecord } from '../record-source.js';
import type { TopicPolicy } from '../topics.js';
import { audienceOfHeader, userOfKey } from './audience.js';
import { expired, reject, skipped, type Decoded, type DecodeContext } from './decoded.js';
import { formats, type Format, type FormatDecoder } from './formats/formats.js';
import { readHeaders } from './headers.js';
import { WhenFilter } from './map/when-filter.js';
import { itemsOf, type DecodeInput, type Message } from './message.js';
import { isWritableTime } from './rfc3339.js';
import type { SchemaReader } from './schema-reader.js';

/**
 * Turns Kafka records of one topic into messages with finished frames, or says why that cannot be done. `decode` never
 * throws, whatever the record holds. Made once for a topic: what the topic's selectors say is compiled here.
 */
export class RecordDecoder {
  readonly #policy: TopicPolicy;
  readonly #decoder: FormatDecoder;
  /** Filter for formats without a map; those with one ask it themselves, having read the value already. */
  readonly #when: WhenFilter | null;

  /** `schemas` may be null where no topic's format needs a schema registry. */
  constructor(policy: TopicPolicy, schemas: SchemaReader | null) {
    this.#policy = policy;
    const format: Format = formats[policy.format];
    this.#decoder = format.decoder(policy, schemas);
    this.#when = format.map === null && policy.when.length > 0 ? new WhenFilter(policy.when, policy.name) : null;
  }

  decode(record: SourceRecord, context: DecodeContext): Decoded {
    const policy = this.#policy;
    const { value } = record;
    const isTombstone = value === null && (policy.blocks || policy.tombstone !== 'dead-letter');
    if (!isTombstone && (value === null || (value.length === 0 && policy.format !== 'text'))) {
      return reject('empty', 'the record has no value');
    }
    if (value !== null && value.length > context.maxRecordBytes) {
      return reject('too_large', `${value.length} bytes exceed limits.maxRecordBytes (${context.maxRecordBytes})`);
    }
    const headers = readHeaders(record);
    if ('kind' in headers) return headers;
    const timeMs = recordTime(record, context);
    const ttlMs = headers.ttlMs ?? (this.#decoder.limitsAge ? 0 : policy.ttlMs);
    // Before parsing: a router that catches up after a long stop meets many of these.
    const isOver = ttlMs > 0 && context.nowMs - timeMs > ttlMs;
    // Where outcomes are wanted, it has to be known whose message it was.
    if (isOver && !policy.blocks && policy.tracking === null) return expired;
    const decoded =
      value === null
        ? this.#decodeTombstone({ policy, record, context, headers, timeMs })
        : this.#decodeValue({ policy, record, value, context, headers, timeMs });
    if (policy.blocks) return isOver ? withoutFrames(decoded) : decoded;
    return isOver && decoded.kind === 'items' ? expired : decoded;
  }

  #decodeValue(input: DecodeInput): Decoded {
    if (this.#when !== null) {
      const verdict = this.#when.check(input);
      if (verdict !== null) return verdict;
    }
    const decoded = this.#decoder.decode(input);
    return decoded.kind === 'message' ? itemsOf(input, decoded) : decoded;
  }

  #decodeTombstone(input: Omit<DecodeInput, 'value'>): Decoded {
    const { policy, record } = input;
    if (policy.blocks) return unblock(input);
    if (policy.tombstone === 'skip') return skipped;
    if (this.#decoder.decodeTombstone !== undefined) {
      const decoded = this.#decoder.decodeTombstone(input);
      return decoded.kind === 'message' ? itemsOf(input, decoded) : decoded;
    }
    const audience = audienceOfHeader(input) ?? keyAudience(record);
    if (audience.kind === 'dead_letter') return audience;
    return itemsOf(input, { ...TOMBSTONE, audience });
  }
}

const TOMBSTONE: Omit<Message, 'audience'> = {
  kind: 'message',
  about: null,
  id: null,
  type: null,
  timestamp: null,
  payload: 'null',
  deleted: true,
};

/**
 * Lifts a block. On a topic of blocks the key is the user, and a key without a value says that nothing is known of the
 * user any more.
 */
function unblock(input: Omit<DecodeInput, 'value'>): Decoded {
  const audience = keyAudience(input.record);
  if (audience.kind === 'dead_letter') return audience;
  return itemsOf(input, { ...TOMBSTONE, audience, payload: '{"blocked":false}', deleted: false });
}

/** A limit on the age of records is one on their delivery: what they say of a user holds all the same. */
function withoutFrames(decoded: Decoded): Decoded {
  if (decoded.kind !== 'items') return decoded;
  return { ...decoded, items: decoded.items.map((item) => ({ ...item, head: '' })) };
}

function keyAudience({ key }: SourceRecord): ReturnType<typeof userOfKey> {
  if (key === null || key.length === 0) return reject('no_audience', 'a record without value and key is about nobody');
  return userOfKey(key);
}

/** A producer may write any number as the time of a record; what is no time of our calendar counts as now. */
function recordTime(record: SourceRecord, context: DecodeContext): number {
  return isWritableTime(record.timestamp) ? record.timestamp : context.nowMs;
}
