import { isRevokedBy, type Revocation } from '../revocation.js';
import type { KeyRules } from '../records/record-policy.js';
import type { Identity } from '../token-verifier.js';

/**
 * Facts with which a connection was let in: who it is, what it may do, and how back ends are told of it. It never
 * changes; the command `authentication` swaps it for another one as soon as the engine has said yes, and not before. A
 * command that began with one login ends with it.
 */
export class Login {
  /** Identity; null: a guest. */
  readonly identity: Identity | null;
  /** The client's `Authorization` value or `Bearer <token>`: forwarded to back ends, never logged. */
  readonly authorization: string;
  /** Since when the connection is its user's, ms since the epoch; a login of another user has a later one. */
  readonly sinceMs: number;

  constructor(identity: Identity | null, authorization: string, sinceMs: number) {
    this.identity = identity;
    this.authorization = authorization;
    this.sinceMs = sinceMs;
  }

  get user(): string | null {
    return this.identity === null ? null : this.identity.user;
  }

  /** May see who else is there. */
  get seesOthers(): boolean {
    return this.identity?.presence === true;
  }

  isRevokedBy(revocation: Revocation): boolean {
    return this.identity !== null && isRevokedBy(revocation, this.identity.user, this.identity);
  }

  allowsTopic(topic: { readonly name: string; readonly guests: boolean }): boolean {
    if (this.identity === null) return topic.guests;
    return this.identity.topics === null || this.identity.topics.has(topic.name);
  }

  /** Where a claim says which keys, a client without it has none. */
  allowsKey({ claim }: KeyRules, key: string): boolean {
    return claim === null || this.identity?.lists?.get(claim)?.has(key) === true;
  }

  /** Guests enter no rooms. */
  allowsRoom(room: string): boolean {
    if (this.identity === null) return false;
    return this.identity.rooms === null || this.identity.rooms.has(room);
  }
}
