/**
 * The shapes of names (docs/records.md). Anything else is refused where it enters: a name never reaches a Redis key, a log
 * line or a metric unchecked.
 */
const NAME = /^[A-Za-z0-9._-]{1,128}$/;

/** C0, DEL and C1: what "control characters" means for a user id. */
// oxlint-disable-next-line no-control-regex -- the rule is about these very characters
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

const USER_ID_LENGTH_MAX = 128;

/** Topics, rooms, hubs and backends. */
export function isName(value: string): boolean {
  return NAME.test(value);
}

/** User ids, and keys of topics: 1 to 128 characters (code points) without control characters and without lone surrogates. */
export function isUserId(value: string): boolean {
  if (value.length === 0 || value.length > 2 * USER_ID_LENGTH_MAX) return false;
  if (CONTROL.test(value) || !value.isWellFormed()) return false;
  return value.length <= USER_ID_LENGTH_MAX || Array.from(value).length <= USER_ID_LENGTH_MAX;
}

/** Order of texts by their UTF-8: that of servers which know bytes only. */
export function compareUtf8(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
