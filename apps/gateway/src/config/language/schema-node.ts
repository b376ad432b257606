import { duration, flag, size, text, texts, type Format } from './formats.js';

/**
 * The schema is data made of four kinds of nodes. Everything else is derived from it: the checks, the names of
 * environment variables, the type of the result and docs/configuration.md.
 */
export type Node = AnyKey | Section | MapNode | ListNode;

export type AnyKey = Key<unknown, Suffix>;

/** End of the program's name of the key, so that no number is without its unit. */
type Suffix = '' | 'Ms' | 'Bytes';

export interface Key<T, S extends Suffix = ''> {
  readonly kind: 'key';
  readonly format: Format<T>;
  /** Default in written form (`10s`, not 10000). */
  readonly default: unknown;
  readonly doc: string;
  readonly suffix: S;
  /** Secrets are never printed. */
  readonly secret?: boolean;
  readonly live?: LiveFor;
}

/**
 * Whom a new value reaches while the program runs (SIGHUP): everything, open sockets too, or only sockets that come from
 * then on. A key that does not say it waits for a restart.
 */
export type LiveFor = 'everything' | 'new sockets';

export type Keys = Readonly<Record<string, Node>>;

export interface Section<K extends Keys = Keys> {
  readonly kind: 'group';
  readonly doc: string;
  readonly keys: K;
}

type Presets = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** Names chosen by the operator. Layers are merged entry by entry. */
export interface MapNode<E extends Section | AnyKey = Section | AnyKey> {
  readonly kind: 'map';
  readonly doc: string;
  readonly entry: E;
  readonly entryName: Format<string>;
  /** Defaults of entries with these names, where they differ from those of the entry's keys. */
  readonly presets: Presets;
  /** True: the presets are there without being written. */
  readonly presetsExist: boolean;
  /** Path of a list that names further entries. */
  readonly namesFrom?: readonly string[];
}

/** A higher layer replaces the whole list. */
export interface ListNode<E extends Section = Section> {
  readonly kind: 'list';
  readonly doc: string;
  readonly entry: E;
  readonly default: readonly Readonly<Record<string, unknown>>[];
  readonly live?: LiveFor;
}

type Simplify<T> = { readonly [P in keyof T]: T[P] };

type ResolvedName<P extends string, N> =
  N extends Key<unknown, infer S> ? (P extends `${string}${'Bytes'}` ? P : `${P}${S}`) : P;

/** The type a node's value has in the program: durations as `…Ms`, sizes as `…Bytes`. */
export type Resolved<N> =
  N extends Key<infer T, Suffix>
    ? T
    : N extends Section<infer K>
      ? Simplify<{ [P in keyof K & string as ResolvedName<P, K[P]>]: Resolved<K[P]> }>
      : N extends MapNode<infer E>
        ? Readonly<Record<string, Resolved<E>>>
        : N extends ListNode<infer E>
          ? readonly Resolved<E>[]
          : never;

export function key<T>(format: Format<T>, fallback: unknown, doc: string): Key<T> {
  return { kind: 'key', format, default: fallback, doc, suffix: '' };
}

export function flagKey(fallback: boolean, doc: string): Key<boolean> {
  return key(flag, fallback, doc);
}

export function secret(doc: string): Key<string> {
  return { ...key(text, '', doc), secret: true };
}

export function secretList(doc: string): Key<readonly string[]> {
  return { ...key(texts, [], doc), secret: true };
}

export function durationKey(fallback: string | 0, doc: string, format = duration()): Key<number, 'Ms'> {
  return { kind: 'key', format, default: fallback, doc, suffix: 'Ms' };
}

export function sizeKey(fallback: string, doc: string, format = size()): Key<number, 'Bytes'> {
  return { kind: 'key', format, default: fallback, doc, suffix: 'Bytes' };
}

/** The same key or list, whose new values apply while the program runs. */
export function live<K extends AnyKey | ListNode>(node: K): K {
  return { ...node, live: 'everything' };
}

/** The same key or list, whose new values apply to sockets that come from then on. */
export function liveForNewSockets<K extends AnyKey | ListNode>(node: K): K {
  return { ...node, live: 'new sockets' };
}

export function section<const K extends Keys>(doc: string, keys: K): Section<K> {
  return { kind: 'group', doc, keys };
}

export function map<E extends Section | AnyKey>(
  doc: string,
  entry: E,
  options: { entryName: Format<string>; presets?: Presets; presetsExist?: boolean; namesFrom?: readonly string[] },
): MapNode<E> {
  return { kind: 'map', doc, entry, presets: {}, presetsExist: false, ...options };
}

export function list<E extends Section>(doc: string, entry: E, fallback: ListNode['default']): ListNode<E> {
  return { kind: 'list', doc, entry, default: fallback };
}

export function resolvedName(name: string, node: Node): string {
  return node.kind !== 'key' || name.endsWith('Bytes') ? name : name + node.suffix;
}

/** Keys and groups of a group, depth first, with their paths. */
export function* walk(node: Section, path: readonly string[] = []): Generator<[readonly string[], Node]> {
  for (const [name, child] of Object.entries(node.keys)) {
    yield [[...path, name], child];
    if (child.kind === 'group') yield* walk(child, [...path, name]);
  }
}
