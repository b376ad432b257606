import type { Finding } from '../language/finding.js';
import type { SchemaValues } from '../schema/schema.js';

/**
 * Purpose for which the configuration is loaded: `serve` needs all of it, `dev` makes what is missing, a `tool` such as
 * `topics` uses only a part.
 */
export type Purpose = 'serve' | 'dev' | 'tool';

/** A combination of keys that cannot work. */
export interface Rule {
  /** Sentence for the documentation. */
  readonly doc: string;
  /**
   * Key paths. The rule is skipped when one of them is wrong by itself, because its value is only a stand-in then. See
   * brokenRules.
   */
  readonly reads: readonly string[];
  check(values: SchemaValues, purpose: Purpose): readonly Finding[];
}

/** Makes the findings of a rule that has one thing to say, as most have. */
export function when(broken: boolean, path: string, message: string): Finding[] {
  return broken ? [{ path, message }] : [];
}
