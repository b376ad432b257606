import { skipped, type Pending, type Rejection, type Skipped } from '../decoded.js';
import { jsonDialect } from '../formats/json.js';
import type { DecodeInput } from '../message.js';
import { RecordView, type CompiledSelector } from './record-view.js';
import type { Condition, Scalar } from './selector.js';

interface CompiledCondition {
  readonly selector: CompiledSelector;
  readonly in: ReadonlySet<Scalar> | null;
  readonly notIn: ReadonlySet<Scalar> | null;
  readonly exists: boolean | null;
}

/** The conditions of `when`, of which all must hold. */
export class Conditions {
  readonly #view: RecordView;
  readonly #conditions: readonly CompiledCondition[];
  /** Conditions that can be asked without a value. */
  readonly #besideValue: readonly CompiledCondition[];

  constructor(view: RecordView, conditions: readonly Condition[]) {
    this.#view = view;
    this.#conditions = conditions.map((condition) => ({
      selector: view.compile(condition.field),
      in: condition.in === undefined ? null : new Set(condition.in),
      notIn: condition.notIn === undefined ? null : new Set(condition.notIn),
      exists: condition.exists ?? null,
    }));
    this.#besideValue = this.#conditions.filter((_, index) => /^(key|header:|topic|=)/.test(conditions[index]!.field));
  }

  hold(): boolean {
    return this.#allHold(this.#conditions);
  }

  /** Tells whether the conditions hold for a record without a value: what its value would have said, nobody knows. */
  holdWithoutValue(): boolean {
    return this.#allHold(this.#besideValue);
  }

  #allHold(conditions: readonly CompiledCondition[]): boolean {
    for (const condition of conditions) if (!this.#holds(condition)) return false;
    return true;
  }

  /** Sets compare by type and value: "1" is not 1. What is absent, an object or a list is in no set. */
  #holds({ selector, in: allowed, notIn, exists }: CompiledCondition): boolean {
    const found = this.#view.scalar(selector);
    if (allowed !== null && !isIn(allowed, found)) return false;
    if (notIn !== null && isIn(notIn, found)) return false;
    return exists === null || exists === (found !== null);
  }
}

function isIn(set: ReadonlySet<Scalar>, found: Scalar | null | undefined): boolean {
  return found !== null && found !== undefined && set.has(found);
}

/** `when` for formats without a map: reads the value for itself. */
export class WhenFilter {
  readonly #view: RecordView;
  readonly #conditions: Conditions;

  constructor(conditions: readonly Condition[], topic: string) {
    this.#view = new RecordView(jsonDialect(), topic);
    this.#conditions = new Conditions(this.#view, conditions);
  }

  /** null: the record is wanted. */
  check(input: DecodeInput): Rejection | Skipped | Pending | null {
    return this.#view.open(input) ?? (this.#conditions.hold() ? null : skipped);
  }
}
