import type { ShownLease } from '@ws-gateway/core';

/** What one refresh of a node's registration shows. */

/** Nothing was heard of a partition's inbox. */
export const UNKNOWN = -1;

export interface InboxState {
  /** `emptied`: Redis came back without its data. `lost`: with older data, or the inbox alone is gone. */
  readonly kind: 'known' | 'emptied' | 'lost' | 'unknown';
  /** Number of the newest batch in the inbox. */
  readonly sequence: number;
  /** Number of the newest batch in the log that nodes share. */
  readonly shared: number;
}

/** `gone`: nobody lists the node. `reaped`: another node has taken it for dead. */
export type LeaseState = 'held' | 'gone' | 'reaped';

export interface Refresh {
  readonly lease: LeaseState | 'unknown';
  /** States by partition. */
  readonly states: readonly InboxState[];
  /** Why something is unknown, if it is. */
  readonly failure: unknown;
}

export function placesOf(states: readonly InboxState[], kind: InboxState['kind']): number[] {
  return [...states.keys()].filter((p) => states[p]!.kind === kind);
}

/** Node and score in turn. Nobody judges itself. */
export function othersIn(shown: readonly string[], self: string): ShownLease[] {
  const leases: ShownLease[] = [];
  for (let at = 0; at < shown.length; at += 2) {
    if (shown[at] !== self) leases.push({ node: shown[at]!, score: shown[at + 1]! });
  }
  return leases;
}
