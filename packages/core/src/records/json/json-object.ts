import { isObject } from '../../json.js';
import { reject, type Rejection } from '../decoded.js';

export function parseObject(text: string): { readonly object: Readonly<Record<string, unknown>> } | Rejection {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return notJson(error);
  }
  return isObject(value) ? { object: value } : reject('not_object', 'the value is JSON, but not an object');
}

/** The text of JSON.parse quotes the value, which may hold anything: no control character gets into a header or log. */
export function notJson(error: unknown): Rejection {
  // oxlint-disable-next-line no-control-regex -- these very characters are meant
  const message = (error as SyntaxError).message.replace(/[\u0000-\u001f\u007f-\u009f\ufeff]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
  return reject('not_json', message);
}
