import { JsonDocument, Scope } from '../map/json-part.js';
import type { Dialect } from '../map/dialect.js';
import { explained, jsonText } from '../value-text.js';

/** Format `json`: any JSON value. */
export function jsonDialect(): Dialect {
  const document = new JsonDocument();
  return {
    document,
    scopes: { value: new Scope(document, ['']) },
    open({ value }) {
      const text = jsonText(value);
      if (typeof text !== 'string') return text;
      const failed = document.open(text);
      return failed === null ? null : explained(failed, value);
    },
  };
}
