import { isUtf8 } from 'node:buffer';
import { quote } from '../../frame.js';
import type { SourceRecord } from '../../record-source.js';
import { reject, type Rejection } from '../decoded.js';
import { headerText } from '../headers.js';
import type { Dialect } from '../map/dialect.js';
import { JsonDocument, Scope } from '../map/json-part.js';
import { explained, jsonText } from '../value-text.js';

/** Index of the prefixes of scope `data`. */
const STRUCTURED = 0;
const BINARY = 1;
const NOT_STRUCTURED = -1;

const OPEN_BRACE = 0x7b;

/**
 * Format `cloudevents`, in both modes of its Kafka binding: binary (attributes are headers `ce_…`, the value is the data)
 * and structured (the value is the event as JSON). `header:ce_…` means the attribute in both, `data:` the data.
 */
export function cloudEventsDialect(): Dialect {
  const document = new JsonDocument();
  const value = new Scope(document, ['']);
  const data = new Scope(document, ['/data', '']);
  const attributes = new Scope(document, ['']);
  const wholeSlot = document.scan.slot('');
  const specVersionSlot = document.scan.slot('/specversion');
  return {
    document,
    scopes: { value, data },
    headerScope: (name) =>
      name.startsWith('ce_') ? { scope: attributes, pointer: `/${name.slice('ce_'.length)}` } : null,
    open(input) {
      const contentType = (headerText(input.record.headers['content-type']) ?? '').toLowerCase();
      const isBinary = !contentType.startsWith('application/cloudevents') && hasAttributes(input.record);
      const failed = isBinary ? openData(document, input.value, contentType) : openEvent(document, input.value);
      if (failed !== null) return failed;
      // Without attributes in the headers and without a content type the event has to tell itself that it is one.
      if (!isBinary && document.first(wholeSlot) !== OPEN_BRACE) {
        return reject('not_object', 'the value is neither a structured event nor has it headers ce_…');
      }
      if (!isBinary && !document.has(specVersionSlot)) {
        return reject('bad_member', 'the value is no event: no member specversion, and no headers ce_…');
      }
      data.variant = isBinary ? BINARY : STRUCTURED;
      attributes.variant = isBinary ? NOT_STRUCTURED : 0;
      return null;
    },
    // Without a value there is no structured event: attributes can only be headers.
    forget() {
      attributes.variant = NOT_STRUCTURED;
    },
  };
}

function hasAttributes({ headers }: SourceRecord): boolean {
  if ('ce_specversion' in headers || 'ce_id' in headers) return true;
  for (const name in headers) if (name.startsWith('ce_')) return true;
  return false;
}

function openEvent(document: JsonDocument, value: Buffer): Rejection | null {
  const text = jsonText(value);
  if (typeof text !== 'string') return text;
  const failed = document.open(text);
  return failed === null ? null : explained(failed, value);
}

/** Data without a content type is JSON, as the specification has it. What is neither JSON nor text goes as base64. */
function openData(document: JsonDocument, value: Buffer, contentType: string): Rejection | null {
  const mediaType = contentType.split(';')[0]!.trim();
  if (mediaType === '' || /[/+]json$/.test(mediaType)) return openEvent(document, value);
  return document.open(quote(isUtf8(value) ? value.toString('utf8') : value.toString('base64')));
}
