import type { Rejection } from '../decoded.js';
import { notJson } from './json-object.js';
import {
  CLOSE_BRACE,
  CLOSE_BRACKET,
  colonEnd,
  COMMA,
  DEPTH_MAX,
  OPEN_BRACE,
  OPEN_BRACKET,
  skipSpaces,
  stringEnd,
  UNUSUAL,
  valueEnd,
} from './json-scan.js';
import { eachElement, eachMember, endOfValue, skipSpace } from './json-walk.js';

/**
 * Finds what a set of JSON pointers (RFC 6901) names, all in one pass over the text, and checks the text on the way. The
 * pointers are known before the first text, so a pass makes no objects: where a value begins and ends goes into two
 * arrays that are used again for the next text. As with JSON.parse the last of several members of one name wins.
 */
export class PointerScan {
  readonly #root = new PointerNode();
  readonly #slots = new Map<string, number>();
  /** Beginnings by slot; -1: the pointer names nothing. */
  readonly starts: number[] = [];
  readonly ends: number[] = [];

  /** The slot of a pointer: its index in `starts` and `ends`. Not after the first `run`. */
  slot(pointer: string): number {
    const known = this.#slots.get(pointer);
    if (known !== undefined) return known;
    const slot = this.starts.push(-1) - 1;
    this.ends.push(-1);
    this.#slots.set(pointer, slot);
    let node = this.#root;
    node.slots.push(slot);
    for (const name of pointerNames(pointer)) {
      node = node.childOrNew(name);
      node.slots.push(slot);
    }
    node.slot = slot;
    return slot;
  }

  /** Returns why the text is not JSON, or null. */
  run(json: string): Rejection | null {
    this.#forget(this.#root);
    if (!UNUSUAL.test(json)) {
      const end = this.#value(json, skipSpaces(json, 0), 0, this.#root);
      if (end >= 0 && skipSpaces(json, end) === json.length) return null;
      this.#forget(this.#root);
    }
    try {
      JSON.parse(json);
    } catch (error) {
      return notJson(error);
    }
    this.#walk(json, skipSpace(json, 0), this.#root);
    return null;
  }

  /** Forgets everything: after this no pointer names anything. */
  clear(): void {
    this.#forget(this.#root);
  }

  #forget({ slots }: PointerNode): void {
    for (const slot of slots) this.starts[slot] = -1;
  }

  #found(slot: number, start: number, end: number): void {
    if (slot < 0) return;
    this.starts[slot] = start;
    this.ends[slot] = end;
  }

  /** Finds the end of a value, as `valueEnd`, and notes what it meets. */
  #value(json: string, at: number, depth: number, node: PointerNode): number {
    if (at < 0) return -1;
    const code = json.charCodeAt(at);
    let end: number;
    if (node.children === null) end = valueEnd(json, at, depth);
    else if (code === OPEN_BRACE) end = this.#object(json, at, depth + 1, node);
    else if (code === OPEN_BRACKET) end = this.#array(json, at, depth + 1, node);
    else end = valueEnd(json, at, depth);
    if (end >= 0) this.#found(node.slot, at, end);
    return end;
  }

  #object(json: string, at: number, depth: number, { children }: PointerNode): number {
    if (depth > DEPTH_MAX) return -1;
    let next = skipSpaces(json, at + 1);
    if (json.charCodeAt(next) === CLOSE_BRACE) return next + 1;
    for (;;) {
      const keyEnd = stringEnd(json, next);
      if (keyEnd < 0) return -1;
      const child = children!.get(json.slice(next + 1, keyEnd - 1));
      next = this.#child(json, colonEnd(json, keyEnd), depth, child);
      if (next < 0) return -1;
      next = skipSpaces(json, next);
      const code = json.charCodeAt(next);
      if (code === CLOSE_BRACE) return next + 1;
      if (code !== COMMA) return -1;
      next = skipSpaces(json, next + 1);
    }
  }

  #array(json: string, at: number, depth: number, { children }: PointerNode): number {
    if (depth > DEPTH_MAX) return -1;
    let next = skipSpaces(json, at + 1);
    if (json.charCodeAt(next) === CLOSE_BRACKET) return next + 1;
    for (let index = 0; ; index++) {
      next = this.#child(json, next, depth, children!.get(String(index)));
      if (next < 0) return -1;
      next = skipSpaces(json, next);
      const code = json.charCodeAt(next);
      if (code === CLOSE_BRACKET) return next + 1;
      if (code !== COMMA) return -1;
      next = skipSpaces(json, next + 1);
    }
  }

  #child(json: string, at: number, depth: number, child: PointerNode | undefined): number {
    if (child === undefined) return valueEnd(json, at, depth);
    this.#forget(child);
    return this.#value(json, at, depth, child);
  }

  /** The same over text that JSON.parse has taken: with escapes, line breaks, any depth. */
  #walk(json: string, at: number, node: PointerNode): void {
    this.#found(node.slot, at, endOfValue(json, at));
    const { children } = node;
    if (children === null) return;
    const visit = (name: string, start: number): void => {
      const child = children.get(name);
      if (child === undefined) return;
      this.#forget(child);
      this.#walk(json, start, child);
    };
    const code = json.charCodeAt(at);
    if (code === OPEN_BRACE) eachMember(json, at, visit);
    else if (code === OPEN_BRACKET) eachElement(json, at, (index, start) => visit(String(index), start));
  }
}

class PointerNode {
  slot = -1;
  /** Slots of this node and all below it. */
  readonly slots: number[] = [];
  children: Map<string, PointerNode> | null = null;

  childOrNew(name: string): PointerNode {
    this.children ??= new Map();
    let child = this.children.get(name);
    if (child === undefined) this.children.set(name, (child = new PointerNode()));
    return child;
  }
}

export function isPointer(text: string): boolean {
  return text === '' || (text.startsWith('/') && !/~(?![01])/.test(text));
}

function pointerNames(pointer: string): string[] {
  if (pointer === '') return [];
  return pointer
    .slice(1)
    .split('/')
    .map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'));
}
