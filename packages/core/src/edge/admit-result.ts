import type { AdmitResult, Block } from '../engine.js';
import type { Position } from '../streams.js';
import type { Identity } from '../token-verifier.js';
import type { ConnectionTable } from './connection-table.js';
import { RefusalError } from './refusals.js';

/** The positions of an admission; throws RefusalError by the name of what the engine refused it for (contract 2). */
export function requireAdmitted(result: AdmitResult): readonly Position[] {
  switch (result.status) {
    case 'admitted':
      return result.positions;
    case 'blocked':
      throw blockedRefusal(result.block);
    case 'revoked':
      throw new RefusalError('token_invalid', 'this token was revoked');
    case 'already_connected':
      throw new RefusalError('already_connected', 'this user is connected to this endpoint already');
    case 'session_limit':
      throw new RefusalError('too_many_connections', 'this user has as many connections as are allowed');
  }
}

/** Throws when the user has `limit` connections on this node already; 0: there is no limit. */
export function requirePlaceFor(identity: Identity | null, connections: ConnectionTable, limit: number): void {
  if (limit === 0 || identity === null || connections.countOfUser(identity.user) < limit) return;
  throw new RefusalError('too_many_connections', `at most ${limit} connections per user`);
}

function blockedRefusal(block: Block): RefusalError {
  const message = block.reason === '' ? 'this user is blocked' : `this user is blocked: ${block.reason}`;
  const expiresAt = block.expiresAtMs === null ? null : new Date(block.expiresAtMs).toISOString().replace('.000Z', 'Z');
  return new RefusalError('user_blocked', message, { reason: block.reason, expires_at: expiresAt });
}
