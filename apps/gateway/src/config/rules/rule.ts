import type { Finding } from '../language/finding.js';
import type { SchemaValues } from '../schema/schema.js';

/** `serve` needs all of it; `dev` makes what is missing; a `tool` such as `topics` uses only a part. */
export type Purpose = 'serve' | 'dev' | 'tool';

/** A combination of keys that can't work. */
export interface Rule {
  /** For the documentation. */
  readonly doc: string;
  /** The rule is skipped when one of these is wrong by itself: its value is only a stand-in then. See brokenRules. */
  readonly reads: readonly string[];
  check(values: SchemaValues, purpose: Purpose): readonly Finding[];
}

/** Most rules have one thing to say. */
export function when(broken: boolean, path: string, message: string): Finding[] {
  return broken ? [{ path, message }] : [];
}
