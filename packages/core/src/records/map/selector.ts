import { isPointer } from '../json/pointer-scan.js';

/** Members of a message that a map may say. */
export const mapMembers = [
  'user',
  'users',
  'room',
  'hub',
  'keyed',
  'audience',
  'id',
  'type',
  'timestamp',
  'ttlMs',
  'payload',
] as const;

export type MapMember = (typeof mapMembers)[number];

/** The members of which a map has exactly one. */
export const audienceMembers = ['user', 'users', 'room', 'hub', 'keyed', 'audience'] as const;

export type AudienceMember = (typeof audienceMembers)[number];

/** Selectors of each member, tried in turn, in the language of `parseSelector`. */
export type RecordMap = Readonly<Partial<Record<MapMember, readonly string[]>>>;

/** One condition of `when`. All of those that are given must hold. */
export interface Condition {
  /** A selector. */
  readonly field: string;
  readonly in?: readonly Scalar[];
  readonly notIn?: readonly Scalar[];
  readonly exists?: boolean;
}

export type Scalar = string | number | boolean;

/** Place in a record where a text is found. */
export type Selector =
  | { readonly from: 'key' }
  | { readonly from: 'topic' }
  | { readonly from: 'text'; readonly text: string }
  | { readonly from: 'header'; readonly name: string }
  | { readonly from: 'part'; readonly scope: string; readonly pointer: string }
  | { readonly from: 'word'; readonly word: string };

/** Words that a format adds to the language: `row:<pointer>` is a scope, `op` a word. */
export interface Vocabulary {
  readonly scopes: readonly string[];
  readonly words: readonly string[];
}

/** `key`, `key:<pointer>`, `header:<name>`, `value:<pointer>`, `topic`, `=text`. A text says what is wrong. */
export function parseSelector(text: string, { scopes, words }: Vocabulary): Selector | string {
  if (text.startsWith('=')) return text === '=' ? 'has no text behind the =' : { from: 'text', text: text.slice(1) };
  if (text === 'key' || text === 'topic') return { from: text };
  if (words.includes(text)) return { from: 'word', word: text };
  const colon = text.indexOf(':');
  const scope = text.slice(0, Math.max(colon, 0));
  const rest = text.slice(colon + 1);
  if (scope === 'header') return rest === '' ? 'names no header' : { from: 'header', name: rest };
  if (scope === 'key' || scopes.includes(scope)) {
    if (isPointer(rest)) return { from: 'part', scope, pointer: rest };
    return `holds no JSON pointer: ${JSON.stringify(rest)} must be empty or begin with /, and ~ is written ~0`;
  }
  return `is no selector: ${forms({ scopes, words })}`;
}

function forms({ scopes, words }: Vocabulary): string {
  const parts = ['key', ...scopes].map((scope) => `${scope}:<pointer>`);
  return `must be ${['key', 'header:<name>', ...parts, 'topic', ...words].join(', ')} or =text`;
}
