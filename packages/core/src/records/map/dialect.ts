import type { Pending, Rejection, Skipped } from '../decoded.js';
import type { DecodeInput } from '../message.js';
import type { JsonDocument, Scope } from './json-part.js';

/**
 * Knows how the records of one format are read: what its selectors mean. One object for each topic, used record by
 * record.
 */
export interface Dialect {
  /** The value as JSON. */
  readonly document: JsonDocument;
  /** Scopes: what may stand before a pointer, `value` among them. */
  readonly scopes: Readonly<Record<string, Scope>>;
  /** Selectors of one word. */
  readonly words?: Readonly<Record<string, () => string | null>>;
  /** Finds where in the value a header is that this record has not among its headers; null: nowhere. */
  readonly headerScope?: (name: string) => { readonly scope: Scope; readonly pointer: string } | null;
  /** Prefixes under which a key keeps what `key:<pointer>` means; '' alone unless given. */
  readonly keyPrefixes?: readonly string[];
  /** Key and value as JSON text when they are not JSON themselves; null: they are. */
  readonly translate?: (bytes: Buffer) => string | Rejection | Pending | null;
  /** Opens the document and says which variant of each scope counts. Returns why the record is no message, or null. */
  open(input: DecodeInput): Rejection | Skipped | Pending | null;
  /** Forgets the record before, because the next one has no value. The document is closed by whoever calls. */
  readonly forget?: () => void;
}
