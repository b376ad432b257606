import { eachElement } from '../json/json-walk.js';
import { PointerScan } from '../json/pointer-scan.js';
import type { Rejection } from '../decoded.js';
import type { Scalar } from './selector.js';

/** JSON text of which some parts are wanted, one text after the other: the value of each record of a topic, or its key. */
export class JsonDocument {
  readonly scan = new PointerScan();
  #json = '';

  get json(): string {
    return this.#json;
  }

  /** Returns why it is not JSON, or null. */
  open(json: string): Rejection | null {
    this.#json = json;
    return this.scan.run(json);
  }

  /** Closes the part: from now on nothing is found in it. */
  close(): void {
    this.#json = '';
    this.scan.clear();
  }

  has(slot: number): boolean {
    return this.scan.starts[slot]! >= 0;
  }

  /** The part as it was written; null: there is none. */
  slice(slot: number): string | null {
    return this.has(slot) ? this.#json.slice(this.scan.starts[slot], this.scan.ends[slot]) : null;
  }

  /** First character of the part; NaN: there is none. */
  first(slot: number): number {
    return this.has(slot) ? this.#json.charCodeAt(this.scan.starts[slot]!) : NaN;
  }
}

/**
 * Where a scope of selectors is in a document. Documents come in variants (with or without a wrapper, say): the pointers
 * of all are looked for, and which of them count is said by record.
 */
export class Scope {
  readonly document: JsonDocument;
  readonly #prefixes: readonly string[];
  /** Index of the prefix that counts now; -1: none. */
  variant = 0;

  constructor(document: JsonDocument, prefixes: readonly string[]) {
    this.document = document;
    this.#prefixes = prefixes;
  }

  slots(pointer: string): readonly number[] {
    return this.#prefixes.map((prefix) => this.document.scan.slot(prefix + pointer));
  }
}

const QUOTE = 0x22;
const LOWER_F = 0x66;
const LOWER_N = 0x6e;
const LOWER_T = 0x74;
const OPEN_BRACKET = 0x5b;
const OPEN_BRACE = 0x7b;

/** Text of a JSON text or number as it was written; null: it is null; undefined: it is neither. */
export function idText(json: string): string | null | undefined {
  switch (json.charCodeAt(0)) {
    case QUOTE:
      return unquoted(json);
    case LOWER_N:
      return null;
    case LOWER_T:
    case LOWER_F:
    case OPEN_BRACE:
    case OPEN_BRACKET:
      return undefined;
    default:
      return json;
  }
}

/** null: it is null; undefined: it is an object or a list. */
export function scalarOf(json: string): Scalar | null | undefined {
  switch (json.charCodeAt(0)) {
    case QUOTE:
      return unquoted(json);
    case OPEN_BRACE:
    case OPEN_BRACKET:
      return undefined;
    default:
      return JSON.parse(json) as Scalar | null;
  }
}

/** The texts of a JSON list of texts and numbers; undefined: it is none. */
export function idTexts(json: string): string[] | undefined {
  if (json.charCodeAt(0) !== OPEN_BRACKET) return undefined;
  const ids: string[] = [];
  let good = true;
  eachElement(json, 0, (_, start, end) => {
    const id = idText(json.slice(start, end));
    if (typeof id === 'string') ids.push(id);
    else good = false;
  });
  return good ? ids : undefined;
}

function unquoted(json: string): string {
  return json.includes('\\') ? (JSON.parse(json) as string) : json.slice(1, -1);
}
