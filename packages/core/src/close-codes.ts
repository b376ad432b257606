import type { Refusal } from './transport.js';

/**
 * Close codes. 4000-4499 mean "reconnect", 4500-4999 "do not"; what is below 4000 is RFC 6455's. What a client should
 * do about each is in docs/protocol.md.
 */
export const closeCodes = {
  drain: 4000,
  slow_consumer: 4001,
  lifetime: 4002,
  resync: 4003,
  token_expired: 4010,
  user_blocked: 4500,
  session_replaced: 4501,
  too_many_errors: 4502,
  rate_limited: 4503,
  revoked: 4504,
} as const;

export type CloseName = keyof typeof closeCodes;

export interface CloseReason {
  readonly code: number;
  readonly reason: string;
  /** Topic that the client was too slow for, or has lost the continuity of; told to operators only. */
  readonly topic?: string;
}

/** Refusals whose cause has a close code of its own on open sockets. */
const CLOSES_OF_REFUSALS: ReadonlyMap<string, CloseName> = new Map([
  ['token_expired', 'token_expired'],
  ['user_blocked', 'user_blocked'],
]);

/** Added to an HTTP status in a close code: what coming back may mend, and what it will not. */
const COME_BACK = 4100 - 400;
const STAY_AWAY = 4600 - 400;
/** HTTP statuses that time may mend. */
const COME_BACK_STATUSES: ReadonlySet<number> = new Set([429, 503]);

/** Close code of a refusal that is told by a frame. */
export function refusalCloseCode({ status, code }: Pick<Refusal, 'status' | 'code'>): number {
  const name = CLOSES_OF_REFUSALS.get(code);
  if (name !== undefined) return closeCodes[name];
  return status + (COME_BACK_STATUSES.has(status) ? COME_BACK : STAY_AWAY);
}

/** The close that follows the frame of a refusal; its reason is the refusal's code, or why the user is blocked. */
export function refusalClose(refusal: Refusal): CloseReason {
  const blockedFor = refusal.code === 'user_blocked' ? refusal.details?.['reason'] : undefined;
  const reason = typeof blockedFor === 'string' && blockedFor !== '' ? blockedFor : refusal.code;
  return { code: refusalCloseCode(refusal), reason: cutReason(reason) };
}

/** RFC 6455 5.5: a control frame carries at most 125 bytes, two of which are the code. */
const REASON_BYTES_MAX = 123;

export function closeReason(name: CloseName, reason: string = name): CloseReason {
  return { code: closeCodes[name], reason: cutReason(reason) };
}

/** A close that a topic is the cause of; undefined: it is about the connection as a whole. */
export function closeOver(topic: string | undefined, name: CloseName): CloseReason {
  return { ...closeReason(name), ...(topic === undefined ? {} : { topic }) };
}

/** Cuts at a character boundary: half a UTF-8 character would make the client fail the connection with 1007. */
export function cutReason(reason: string): string {
  const bytes = new TextEncoder().encode(reason);
  if (bytes.length <= REASON_BYTES_MAX) return reason;
  let end = REASON_BYTES_MAX;
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end--;
  return new TextDecoder().decode(bytes.subarray(0, end));
}
