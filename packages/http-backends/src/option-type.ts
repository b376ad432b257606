/** Types of an option. Ids and times are text in some backends and numbers in others: they are scalars. */
export const optionTypes = ['text', 'count', 'scalar', 'boolean', 'credentials', 'texts', 'scalars'] as const;

const TEXT_LENGTH_MAX = 256;
const LIST_LENGTH_MAX = 1000;
const CREDENTIALS_LENGTH_MAX = 16_384;
/** Matches what may stand in a header: visible characters with single spaces between them. */
const CREDENTIALS = /^[\x21-\x7e]+( [\x21-\x7e]+)*$/;

/** Accepts one of `optionTypes`, or the texts that are allowed, such as `unread|read`. */
export function isOptionType(type: string): boolean {
  return (optionTypes as readonly string[]).includes(type) || /^[^|\s]+(\|[^|\s]+)+$/.test(type);
}

/** Tells what is wrong with the value, as the end of a sentence; null: nothing. */
export function optionProblem(type: string, value: unknown): string | null {
  switch (type) {
    case 'text':
      return isText(value) ? null : `must be text of 1 to ${TEXT_LENGTH_MAX} characters`;
    case 'count':
      return Number.isSafeInteger(value) && (value as number) >= 0 ? null : 'must be a whole number from 0';
    case 'scalar':
      return isScalar(value) ? null : `must be a number, or text of at most ${TEXT_LENGTH_MAX} characters`;
    case 'boolean':
      return typeof value === 'boolean' ? null : 'must be true or false';
    case 'credentials':
      return isCredentials(value) ? null : 'must be text that a header can carry';
    case 'texts':
      return isListOf(value, isText) ? null : `must be a list of at most ${LIST_LENGTH_MAX} texts`;
    case 'scalars':
      return isListOf(value, isScalar) ? null : `must be a list of at most ${LIST_LENGTH_MAX} texts or numbers`;
    default:
      return typeof value === 'string' && type.split('|').includes(value) ? null : `must be one of ${type}`;
  }
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== '' && value.length <= TEXT_LENGTH_MAX;
}

function isScalar(value: unknown): boolean {
  return typeof value === 'number' || (typeof value === 'string' && value.length <= TEXT_LENGTH_MAX);
}

function isCredentials(value: unknown): boolean {
  return typeof value === 'string' && value.length <= CREDENTIALS_LENGTH_MAX && CREDENTIALS.test(value);
}

function isListOf(value: unknown, isItem: (item: unknown) => boolean): boolean {
  return Array.isArray(value) && value.length <= LIST_LENGTH_MAX && value.every(isItem);
}
