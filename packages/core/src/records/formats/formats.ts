import type { RecordPolicy } from '../record-policy.js';
import type { DecodedItems, Expired, Pending, Rejection, Skipped } from '../decoded.js';
import type { Dialect } from '../map/dialect.js';
import { MappedDecoder } from '../map/mapped-decoder.js';
import type { RecordMap, Vocabulary } from '../map/selector.js';
import type { DecodeInput, Message } from '../message.js';
import type { SchemaFormat, SchemaReader } from '../schema-reader.js';
import { cloudEventsDialect } from './cloudevents.js';
import { debeziumDialect } from './debezium.js';
import { decodeEnvelope } from './envelope.js';
import { jsonDialect } from './json.js';
import { registeredDialect } from './registered.js';
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
  /** Values can be read only with a schema registry. */
  readonly needsRegistry: boolean;
  decoder(policy: RecordPolicy, schemas: SchemaReader | null): FormatDecoder;
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
  avro: registered('avro'),
  protobuf: registered('protobuf'),
  'json-schema': registered('json-schema'),
} satisfies Readonly<Record<string, Format>>;

export type RecordFormat = keyof typeof formats;

export const recordFormats = Object.keys(formats) as readonly RecordFormat[];

function fixed(decoder: FormatDecoder): Format {
  return { map: null, vocabulary: { scopes: ['value'], words: [] }, needsRegistry: false, decoder: () => decoder };
}

function mapped(dialect: () => Dialect, map: RecordMap): Format {
  const { scopes, words = {} } = dialect();
  return {
    map,
    vocabulary: { scopes: Object.keys(scopes), words: Object.keys(words) },

    needsRegistry: false,
    decoder: (policy) => new MappedDecoder(policy, dialect()),
  };
}

function registered(format: SchemaFormat): Format {
  return {
    map: { payload: ['value:'] },
    vocabulary: { scopes: ['value'], words: [] },
    needsRegistry: true,
    decoder(policy, schemas) {
      if (schemas === null) throw new Error(`format ${format} needs a schema registry`);
      return new MappedDecoder(policy, registeredDialect(format, schemas));
    },
  };
}
