import { isUtf8 } from 'node:buffer';
import { quote } from '../../frame.js';
import { reject } from '../decoded.js';
import type { Dialect } from '../map/dialect.js';
import { JsonDocument, Scope } from '../map/json-part.js';

/** Format `text`: the value is one JSON string. */
export function textDialect(): Dialect {
  const document = new JsonDocument();
  return {
    document,
    scopes: { value: new Scope(document, ['']) },
    open: ({ value }) =>
      isUtf8(value) ? document.open(quote(value.toString('utf8'))) : reject('not_text', 'the value is not UTF-8'),
  };
}
