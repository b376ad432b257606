import type { Finding } from '../language/finding.js';
import type { Purpose, Rule } from './rule.js';
import { accessRules } from './access-rules.js';
import { clusterRules } from './cluster-rules.js';
import { kafkaLoginRules } from './kafka-login-rules.js';
import { namingRules } from './naming-rules.js';
import { recordRules } from './record-rules.js';
import { schema, type SchemaValues } from '../schema/schema.js';
import type { Node } from '../language/schema-node.js';
import { childOf } from '../language/tree.js';

export const rules: readonly Rule[] = [
  ...clusterRules,
  ...accessRules,
  ...kafkaLoginRules,
  ...namingRules,
  ...recordRules,
];

/** `invalid`: paths of what is wrong by itself, so that its value is only a stand-in. */
export function brokenRules(
  values: SchemaValues,
  context: { purpose: Purpose; invalid: readonly string[] },
): Finding[] {
  const isWrong = (path: string): boolean =>
    context.invalid.some((wrong) => within(wrong, path) || within(path, wrong));
  // What is wrong with one entry of a collection is no reason to be silent about the others.
  const isSkipped = (read: string): boolean =>
    isCollection(read) ? context.invalid.some((wrong) => within(read, wrong)) : isWrong(read);
  return rules
    .filter((rule) => !rule.reads.some(isSkipped))
    .flatMap((rule) => rule.check(values, context.purpose))
    .filter(({ path }) => !isWrong(entryOf(path)));
}

function isCollection(path: string): boolean {
  const node = path.split('.').reduce<Node | undefined>((at, name) => childOf(at, name), schema);
  return node?.kind === 'map' || node?.kind === 'list';
}

/** `topics.a.slow` → `topics.a`; a path outside of collections stays what it is. */
function entryOf(path: string): string {
  const names = path.split('.');
  const at = names.findIndex((name, i) => name.includes('[') || isCollection(names.slice(0, i).join('.')));
  return at < 0 ? path : names.slice(0, at + 1).join('.');
}

function within(inner: string, outer: string): boolean {
  return inner === outer || inner.startsWith(`${outer}.`) || inner.startsWith(`${outer}[`);
}
