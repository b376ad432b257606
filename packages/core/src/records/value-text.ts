import { isUtf8 } from 'node:buffer';
import { reject, type Rejection } from './decoded.js';

/** The text of a value that has to be JSON. Without the check broken bytes would silently become U+FFFD. */
export function jsonText(value: Buffer): string | Rejection {
  return isUtf8(value) ? value.toString('utf8') : explained(reject('not_json', 'the value is not UTF-8'), value);
}

/** Says more about a value that is not JSON when its first bytes tell what it is instead. */
export function explained(rejection: Rejection, value: Buffer): Rejection {
  if (rejection.error !== 'not_json') return rejection;
  const hint = hintOf(value);
  return hint === '' ? rejection : reject('not_json', `${hint}; ${rejection.message}`);
}

function hintOf(value: Buffer): string {
  if (value[0] === 0) {
    return 'the value begins with byte 0, as what a schema registry serializer writes: see formats avro, protobuf and json-schema';
  }
  if (value[0] === 0xef && value[1] === 0xbb && value[2] === 0xbf) return 'the value begins with a byte order mark';
  return '';
}
