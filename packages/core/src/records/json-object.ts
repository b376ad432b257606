import { reject, type Rejection } from './decoded.js';

export function parseObject(text: string): { readonly object: Readonly<Record<string, unknown>> } | Rejection {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return reject('not_json', (error as SyntaxError).message);
  }
  return isObject(value) ? { object: value } : reject('not_object', 'the value is JSON, but not an object');
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
