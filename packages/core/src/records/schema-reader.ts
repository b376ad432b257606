import type { Pending, Rejection } from './decoded.js';

/** The formats that a schema registry describes. */
export type SchemaFormat = 'avro' | 'protobuf' | 'json-schema';

/**
 * The seam to a schema registry. Values carry the id of their schema; a schema that was read once is kept for good, so
 * `read` answers at once but for the first value of an id.
 */
export interface SchemaReader {
  /**
   * The value as JSON text, or why there is none. Never throws. Pending until the schema is known, or is known not to
   * exist; a registry that is away leaves it pending.
   */
  read(format: SchemaFormat, value: Buffer): SchemaValue | Rejection | Pending;
}

export interface SchemaValue {
  readonly kind: 'value';
  readonly json: string;
}
