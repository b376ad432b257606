import type { TopicPolicy } from '../../topics.js';
import type { DecodedItems, Expired, Pending, Rejection, Skipped } from '../decoded.js';
import type { Dialect } from '../map/dialect.js';
import { MappedDecoder } from '../map/mapped-decoder.js';
import type { RecordMap, Vocabulary } from '../map/selector.js';
import type { DecodeInput, Message } from '../message.js';
import type { SchemaReader } from '../schema-reader.js';
import { cloudEventsDialect } from './cloudevents.js';
import { debeziumDialect } from './debezium.js';
import { decodeEnvelope } from './envelope.js';
import { jsonDialect } from './json.js';
import { decodeSubscriptionUpdate } from './subscription-update.js';
import { textDialect } from './text.js';

/** Reads the records of one topic. */
export interface FormatDecoder {
  /** The record has a value. Never throws. */
  decode(input: DecodeInput): Message | DecodedItems | Rejection | Expired | Skipped | Pending;
  /** For `tombstone: delete`. Without it the key is the user. */
  decodeTombstone?(input: Omit<DecodeInput, 'value'>): Message | Rejection | Skipped | Pending;
  /** It looks at the age of records itself. */
  readonly limitsAge?: boolean;
}

export interface Format {
  /** What the map of a topic says unless the topic says otherwise; null: the format takes no map. */
  readonly map: RecordMap | null;
  readonly vocabulary: Vocabulary;
  decoder(policy: TopicPolicy, schemas: SchemaReader | null): FormatDecoder;
}

/** What `topics.<name>.format` may be. One more is a dialect and a line here. */
export const formats = {
  envelope: fixed({ decode: decodeEnvelope }),
  wss: fixed({ decode: decodeSubscriptionUpdate }),
  json: mapped(jsonDialect, { payload: ['value:'] }),
  text: mapped(textDialect, { payload: ['value:'] }),
  cloudevents: mapped(cloudEventsDialect, {
    user: ['header:ce_subject'],
    id: ['header:ce_id'],
    type: ['header:ce_type'],
    timestamp: ['header:ce_time'],
    payload: ['data:', 'value:/data_base64'],
  }),
  debezium: mapped(debeziumDialect, { type: ['op'], timestamp: ['value:/ts_ms'], payload: ['row:'] }),
} satisfies Readonly<Record<string, Format>>;

export type RecordFormat = keyof typeof formats;

export const recordFormats = Object.keys(formats) as readonly RecordFormat[];

function fixed(decoder: FormatDecoder): Format {
  return { map: null, vocabulary: { scopes: ['value'], words: [] }, decoder: () => decoder };
}

function mapped(dialect: () => Dialect, map: RecordMap): Format {
  const { scopes, words = {} } = dialect();
  return {
    map,
    vocabulary: { scopes: Object.keys(scopes), words: Object.keys(words) },

    decoder: (policy) => new MappedDecoder(policy, dialect()),
  };
}
