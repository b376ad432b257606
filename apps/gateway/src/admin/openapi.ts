import { readFileSync } from 'node:fs';

let document: object | null = null;

/** The description of this API, as it lies beside package.json. */
export function openapi(): object {
  document ??= JSON.parse(readFileSync(new URL('../../openapi.json', import.meta.url), 'utf8')) as object;
  return document;
}
