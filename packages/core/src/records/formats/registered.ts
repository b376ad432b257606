import type { Dialect } from '../map/dialect.js';
import { JsonDocument, Scope } from '../map/json-part.js';
import type { SchemaFormat, SchemaReader } from '../schema-reader.js';

const FRAMED = 0;

/** Formats `avro`, `protobuf` and `json-schema`: values, and keys where they are framed, become JSON by their schema. */
export function registeredDialect(format: SchemaFormat, schemas: SchemaReader): Dialect {
  const document = new JsonDocument();
  return {
    document,
    scopes: { value: new Scope(document, ['']) },
    translate(key) {
      // Most teams write text as keys, whatever their values are.
      if (key[0] !== FRAMED) return null;
      const read = schemas.read(format, key);
      return read.kind === 'value' ? read.json : read;
    },
    open({ value }) {
      const read = schemas.read(format, value);
      return read.kind === 'value' ? document.open(read.json) : read;
    },
  };
}
