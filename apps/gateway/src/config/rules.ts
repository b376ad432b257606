import type { Finding } from './finding.js';
import type { Purpose, Rule } from './rule.js';
import { accessRules } from './rules-access.js';
import { clusterRules } from './rules-cluster.js';
import { namingRules } from './rules-naming.js';
import type { SchemaValues } from './schema.js';

export const rules: readonly Rule[] = [...clusterRules, ...accessRules, ...namingRules];

export function brokenRules(
  values: SchemaValues,
  context: { purpose: Purpose; invalid: readonly string[] },
): Finding[] {
  const touches = (read: string): boolean => context.invalid.some((path) => within(path, read) || within(read, path));
  return rules.filter((rule) => !rule.reads.some(touches)).flatMap((rule) => rule.check(values, context.purpose));
}

function within(inner: string, outer: string): boolean {
  return inner === outer || inner.startsWith(`${outer}.`) || inner.startsWith(`${outer}[`);
}
