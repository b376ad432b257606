import { isUtf8 } from 'node:buffer';
import { quote } from '../../frame.js';
import type { SourceRecord } from '../../record-source.js';
import type { Pending, Rejection, Skipped } from '../decoded.js';
import { headerText } from '../headers.js';
import type { DecodeInput } from '../message.js';
import type { Dialect } from './dialect.js';
import { idText, JsonDocument, scalarOf, Scope } from './json-part.js';
import { parseSelector, type Scalar } from './selector.js';

/** A selector of one topic with all that can be known before the first record. */
export type CompiledSelector =
  | { readonly from: 'text'; readonly text: string }
  | { readonly from: 'key' }
  | { readonly from: 'word'; readonly read: () => string | null }
  | { readonly from: 'header'; readonly name: string; readonly part: Part | null }
  | ({ readonly from: 'part' } & Part);

interface Part {
  readonly scope: Scope;
  /** Slots by variant of the scope. */
  readonly slots: readonly number[];
}

/** One record after the other, as the selectors of a topic see it. */
export class RecordView {
  readonly #dialect: Dialect;
  readonly #topic: string;
  readonly #key: Scope;
  /** Slot of the member by which a wrapped key is known. */
  readonly #keyWrapper: number;
  #usesKeyParts = false;
  #record!: SourceRecord;
  /** The key as JSON text, where the dialect translates it. */
  #translatedKey: string | null = null;

  constructor(dialect: Dialect, topic: string) {
    this.#dialect = dialect;
    this.#topic = topic;
    this.#key = new Scope(new JsonDocument(), dialect.keyPrefixes ?? ['']);
    this.#keyWrapper = this.#key.document.scan.slot(dialect.keyPrefixes?.[1] ?? '');
  }

  /** `text` is in the language of `parseSelector`; the configuration has checked it. */
  compile(text: string): CompiledSelector {
    const { scopes, words = {}, headerScope } = this.#dialect;
    const selector = parseSelector(text, { scopes: Object.keys(scopes), words: Object.keys(words) });
    if (typeof selector === 'string') throw new Error(`${JSON.stringify(text)} ${selector}`);
    switch (selector.from) {
      case 'key':
        return { from: 'key' };
      case 'topic':
        return { from: 'text', text: this.#topic };
      case 'text':
        return selector;
      case 'word':
        return { from: 'word', read: words[selector.word]! };
      case 'header': {
        const place = headerScope?.(selector.name) ?? null;
        const part = place && { scope: place.scope, slots: place.scope.slots(place.pointer) };
        return { from: 'header', name: selector.name, part };
      }
      case 'part': {
        const scope = selector.scope === 'key' ? this.#key : scopes[selector.scope]!;
        if (scope === this.#key) this.#usesKeyParts = true;
        return { from: 'part', scope, slots: scope.slots(selector.pointer) };
      }
    }
  }

  open(input: DecodeInput): Rejection | Skipped | Pending | null {
    return this.#dialect.open(input) ?? this.#openKey(input.record);
  }

  /** A record without a value: only key and headers are there. */
  openTombstone(record: SourceRecord): Rejection | Pending | null {
    this.#dialect.document.close();
    this.#dialect.forget?.();
    return this.#openKey(record);
  }

  #openKey(record: SourceRecord): Rejection | Pending | null {
    this.#record = record;
    const { key } = record;
    const { document } = this.#key;
    const { translate } = this.#dialect;
    this.#translatedKey = null;
    if (key === null || (!this.#usesKeyParts && translate === undefined)) return this.#closeKey();
    const translated = translate === undefined ? null : translate(key);
    if (translated !== null && typeof translated !== 'string') return translated;
    this.#translatedKey = translated;
    if (!this.#usesKeyParts) return null;
    // A key that is no JSON is a key like any other: no pointer finds anything in it.
    if (translated === null && !isUtf8(key)) return this.#closeKey();
    if (document.open(translated ?? key.toString('utf8')) !== null) return this.#closeKey();
    this.#key.variant = this.#dialect.keyPrefixes !== undefined && document.has(this.#keyWrapper) ? 1 : 0;
    return null;
  }

  #closeKey(): null {
    this.#key.document.close();
    return null;
  }

  /**
   * Reads what the first selector finds that finds something. null: none does; undefined: it is no text and no number.
   */
  text(selectors: readonly CompiledSelector[]): string | null | undefined {
    for (const selector of selectors) {
      const found = this.textAt(selector);
      if (found !== null) return found;
    }
    return null;
  }

  /** Reads as `text` does, but JSON text of whatever is there. null in JSON is found when nothing else is. */
  json(selectors: readonly CompiledSelector[]): string | null {
    let found: string | null = null;
    for (const selector of selectors) {
      const json = this.#jsonAt(selector);
      if (json !== null && json !== 'null') return json;
      found ??= json;
    }
    return found;
  }

  /** null: it is absent; undefined: it is an object or a list. */
  scalar(selector: CompiledSelector): Scalar | null | undefined {
    const part = this.#partOf(selector);
    if (part === null) return this.textAt(selector);
    const json = sliceOf(part);
    return json === null ? null : scalarOf(json);
  }

  /** The part of a document that the selector names, null for what is not in a document. */
  #partOf(selector: CompiledSelector): Part | null {
    if (selector.from === 'part') return selector;
    if (selector.from !== 'header' || selector.part === null || selector.part.scope.variant < 0) return null;
    return selector.part;
  }

  /** Reads as `text` does, by one selector. */
  textAt(selector: CompiledSelector): string | null | undefined {
    switch (selector.from) {
      case 'text':
        return selector.text;
      case 'word':
        return selector.read();
      case 'key':
        return this.#keyText();
      case 'part':
      case 'header': {
        const part = this.#partOf(selector);
        if (part === null) return headerText(this.#record.headers[(selector as { name: string }).name]);
        const json = sliceOf(part);
        return json === null ? null : idText(json);
      }
    }
  }

  #keyText(): string | null | undefined {
    if (this.#translatedKey !== null) return idText(this.#translatedKey);
    const { key } = this.#record;
    // An empty key is no key: many producers have no other way to write none.
    if (key === null || key.length === 0) return null;
    return isUtf8(key) ? key.toString('utf8') : undefined;
  }

  #jsonAt(selector: CompiledSelector): string | null {
    const part = this.#partOf(selector);
    if (part !== null) return sliceOf(part);
    const text = this.textAt(selector);
    return text === null || text === undefined ? null : quote(text);
  }
}

function sliceOf({ scope, slots }: Part): string | null {
  const slot = slots[scope.variant];
  return slot === undefined ? null : scope.document.slice(slot);
}
