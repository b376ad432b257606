import { types } from 'node:util';
import { isSecretName, REDACTED } from './redaction.js';

/** Bounds of one event: a log line must stay cheap whatever object somebody puts into a field. */
const TEXT_LENGTH_MAX = 8_192;
const DEPTH_MAX = 6;
const ITEMS_MAX = 100;
const VALUES_MAX = 500;

/**
 * Turns fields into plain JSON values: errors become name, message and code, bytes their number, and nothing remains
 * under a name that says secret. Depth and size are bounded, which also ends cycles. Never throws.
 */
export function plainFields(
  fields: Readonly<Record<string, unknown>>,
  options: { readonly withStack: boolean },
): Record<string, unknown> {
  const walk = new Walk(options.withStack);
  return walk.members(fields, 0);
}

class Walk {
  readonly #withStack: boolean;
  #values = 0;

  constructor(withStack: boolean) {
    this.#withStack = withStack;
  }

  members(object: object, depth: number): Record<string, unknown> {
    const result: Record<string, unknown> = {};
    for (const name of Object.keys(object).slice(0, ITEMS_MAX)) {
      const value = this.#member(object, name, depth);
      if (value !== undefined) setOwn(result, name, value);
    }
    return result;
  }

  #member(object: object, name: string, depth: number): unknown {
    try {
      const value: unknown = Reflect.get(object, name);
      return isSecretName(name) && isTelling(value) ? REDACTED : this.#plain(value, depth + 1);
    } catch (error) {
      // A getter or toJSON of a foreign object threw. The event itself is worth more than this field.
      return `[unreadable: ${error instanceof Error ? error.name : typeof error}]`;
    }
  }

  #plain(value: unknown, depth: number): unknown {
    if (++this.#values > VALUES_MAX) return '[cut]';
    switch (typeof value) {
      case 'string':
        return cut(value);
      case 'number':
        return Number.isFinite(value) ? value : String(value);
      case 'bigint':
        return String(value);
      case 'boolean':
      case 'undefined':
        return value;
      case 'object':
        return value === null ? null : this.#object(value, depth);
      case 'function':
      case 'symbol':
        return `[${typeof value}]`;
    }
  }

  #object(value: object, depth: number): unknown {
    if (depth > DEPTH_MAX) return '[deep]';
    // Errors of Node may come from another realm, where instanceof does not see them.
    if (value instanceof Error || types.isNativeError(value)) return this.#error(value, depth);
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `[${value.byteLength} bytes]`;
    if (value instanceof Map) return this.members(Object.fromEntries(value), depth);
    const items = value instanceof Set ? [...value] : value;
    if (Array.isArray(items)) return items.slice(0, ITEMS_MAX).map((item) => this.#plain(item, depth + 1));
    if ('toJSON' in value && typeof value.toJSON === 'function') return this.#plain(value.toJSON(), depth + 1);
    return this.members(value, depth);
  }

  #error(error: Error, depth: number): Record<string, unknown> {
    const { name, message, stack, cause } = error;
    const code = 'code' in error && (typeof error.code === 'string' || typeof error.code === 'number');
    return {
      name,
      message: cut(String(message)),
      ...(code ? { code: error.code } : {}),
      ...(cause === undefined ? {} : { cause: this.#plain(cause, depth + 1) }),
      ...(this.#withStack && stack !== undefined ? { stack: cut(stack) } : {}),
    };
  }
}

/** Defines the member: an assignment would call the setter of `__proto__`. */
function setOwn(target: object, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true });
}

/** Tells whether a value can give a secret away: a number or flag named `tokens` or `hasSecret` cannot. */
function isTelling(value: unknown): boolean {
  return (typeof value === 'string' && value !== '') || (typeof value === 'object' && value !== null);
}

function cut(text: string): string {
  return text.length <= TEXT_LENGTH_MAX ? text : `${text.slice(0, TEXT_LENGTH_MAX)}…`;
}
