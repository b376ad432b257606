import { conflate } from './slow-policies/conflate.js';
import { dropOldest } from './slow-policies/drop-oldest.js';
import { queue } from './slow-policies/queue.js';
import type { SlowPolicy } from './slow-policies/slow-policy.js';

/**
 * The policies by their names in the configuration, in metrics and in the documentation, which all read this table: a new
 * one is a file beside these and a line here.
 */
export const slowPolicies = { queue, conflate, 'drop-oldest': dropOldest } as const satisfies Record<
  string,
  SlowPolicy
>;

export type SlowPolicyName = keyof typeof slowPolicies;

export const slowPolicyNames = Object.keys(slowPolicies) as readonly SlowPolicyName[];
