import type { AdmitRequest, Block, BlockedUser, PresenceRow, ReleasedConnection } from '../engine.js';
import { compareUtf8 } from '../names.js';
import { isRevokedBy, type Revocation } from '../revocation.js';

type Decision =
  | { readonly status: 'admitted'; readonly replaced: readonly string[] }
  | { readonly status: 'blocked'; readonly block: Block }
  | { readonly status: 'revoked' }
  | { readonly status: 'session_limit' }
  | { readonly status: 'already_connected' };

/** Knows who is connected and who is blocked. */
export class MemoryPresence {
  readonly #users = new Map<string, Map<string, PresenceRow>>();
  readonly #blocks = new Map<string, Block>();
  readonly #revocations: { readonly revocation: Revocation; readonly untilMs: number }[] = [];

  has(user: string): boolean {
    return this.#users.has(user);
  }

  admit(request: AdmitRequest & { user: string }, node: string, nowMs: number): Decision {
    const { user, connection, endpoint, sinceMs, sessions } = request;
    const block = this.#blocks.get(user);
    if (block !== undefined && !hasEnded(block, nowMs)) return { status: 'blocked', block };
    const { token = null } = request;
    const isRevoked = ({ revocation, untilMs }: { revocation: Revocation; untilMs: number }): boolean =>
      token !== null && untilMs > nowMs && isRevokedBy(revocation, user, token);
    if (this.#revocations.some(isRevoked)) return { status: 'revoked' };
    const rows = this.#users.get(user) ?? new Map<string, PresenceRow>();
    const others = [...rows.values()].filter((row) => row.connection !== connection);
    const isRival = (row: PresenceRow): boolean => (request.exclusive ?? null) !== null && row.endpoint === endpoint;
    const replaced = others.filter(isRival);
    if (request.rejoin === true) {
      if (replaced.some((row) => isNewer(row, request))) return { status: 'already_connected' };
      const newer = others.filter((row) => isNewer(row, request)).length;
      if (sessions !== null && sessions.max > 0 && !rows.has(connection) && newer >= sessions.max) {
        return { status: 'session_limit' };
      }
    } else {
      if (replaced.length > 0 && request.exclusive === 'reject') return { status: 'already_connected' };
      if (sessions !== null && sessions.max > 0 && !rows.has(connection)) {
        const kept = others.filter((row) => !isRival(row)).sort((a, b) => a.sinceMs - b.sinceMs);
        // There is more than one when the limit was lowered.
        const surplus = kept.slice(0, Math.max(0, kept.length - sessions.max + 1));
        if (surplus.length > 0 && sessions.policy === 'reject') return { status: 'session_limit' };
        replaced.push(...surplus);
      }
    }
    for (const row of replaced) rows.delete(row.connection);
    rows.set(connection, { connection, node, endpoint, sinceMs });
    this.#users.set(user, rows);
    return { status: 'admitted', replaced: replaced.map((row) => row.connection) };
  }

  /** Takes a row away; false: there was none. */
  release({ connection, user }: ReleasedConnection): boolean {
    const rows = this.#users.get(user);
    if (rows?.delete(connection) !== true) return false;
    if (rows.size === 0) this.#users.delete(user);
    return true;
  }

  presence(user: string): PresenceRow[] {
    return Array.from(this.#users.get(user)?.values() ?? []);
  }

  block(user: string, block: Block | null): void {
    if (block === null) this.#blocks.delete(user);
    else this.#blocks.set(user, block);
  }

  blockOf(user: string, nowMs: number): Block | null {
    const block = this.#blocks.get(user);
    return block === undefined || hasEnded(block, nowMs) ? null : block;
  }

  blocks({ after, limit }: { after: string; limit: number }, nowMs: number): BlockedUser[] {
    return Array.from(this.#blocks, ([user, block]) => ({ user, block }))
      .filter(({ user, block }) => compareUtf8(user, after) > 0 && !hasEnded(block, nowMs))
      .sort((a, b) => compareUtf8(a.user, b.user))
      .slice(0, limit);
  }

  /** Takes all rows of the user away. */
  forget(user: string): void {
    this.#users.delete(user);
  }

  revoke(revocation: Revocation, untilMs: number): void {
    this.#revocations.push({ revocation, untilMs });
  }

  /** Forgets blocks and revocations that have run out. */
  sweep(nowMs: number): void {
    const lasting = this.#revocations.filter(({ untilMs }) => untilMs > nowMs);
    this.#revocations.splice(0, this.#revocations.length, ...lasting);
    for (const [user, block] of this.#blocks) {
      if (hasEnded(block, nowMs)) this.#blocks.delete(user);
    }
  }
}

type Age = Pick<PresenceRow, 'connection' | 'sinceMs'>;

function isNewer(row: Age, than: Age): boolean {
  return row.sinceMs > than.sinceMs || (row.sinceMs === than.sinceMs && row.connection > than.connection);
}

function hasEnded({ expiresAtMs }: Block, nowMs: number): boolean {
  return expiresAtMs !== null && expiresAtMs <= nowMs;
}
