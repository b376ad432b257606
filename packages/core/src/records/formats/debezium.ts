import { reject, skipped } from '../decoded.js';
import type { Dialect } from '../map/dialect.js';
import { JsonDocument, Scope, scalarOf } from '../map/json-part.js';
import { explained, jsonText } from '../value-text.js';

/** Types of changes by Debezium's `op`. Others (`t`: table emptied, `m`: a message) are no change of a row. */
const TYPES: ReadonlyMap<unknown, string> = new Map([
  ['c', 'created'],
  ['u', 'updated'],
  ['d', 'deleted'],
  ['r', 'read'],
]);

/**
 * Format `debezium`: changes of rows as its connectors write them in JSON, with the wrapper {schema, payload} or without.
 * `value:` means the change, `row:` the row: as it is now, or as it was when it was deleted.
 */
export function debeziumDialect(): Dialect {
  const document = new JsonDocument();
  const value = new Scope(document, ['', '/payload']);
  const row = new Scope(document, ['/after', '/before', '/payload/after', '/payload/before']);
  const [schemaSlot, plainOpSlot] = [document.scan.slot('/schema'), document.scan.slot('/op')];
  const opSlots = value.slots('/op');
  let type: string | null = null;
  return {
    document,
    scopes: { value, row },
    words: { op: () => type },
    keyPrefixes: ['', '/payload'],
    open(input) {
      const text = jsonText(input.value);
      if (typeof text !== 'string') return text;
      const failed = document.open(text);
      if (failed !== null) return explained(failed, input.value);
      value.variant = document.has(schemaSlot) && !document.has(plainOpSlot) ? 1 : 0;
      const op = document.slice(opSlots[value.variant]!);
      if (op === null) return reject('bad_member', 'the value has no member op: it is no change of a row by Debezium');
      type = TYPES.get(scalarOf(op)) ?? null;
      if (type === null) return skipped;
      row.variant = 2 * value.variant + (type === 'deleted' ? 1 : 0);
      return null;
    },
    forget() {
      type = null;
    },
  };
}
