import type { AdmitResult, Block } from '../../engine.js';
import { AdmissionDeniedError, TokenError, VerifierUnavailableError } from '../../errors.js';
import { formatGivenTime } from '../../records/rfc3339.js';
import type { Position } from '../../streams.js';
import type { HandshakeIdentifier, Identity, TokenlessHandshake, TokenVerifier } from '../../token-verifier.js';
import type { Connection } from '../delivery/connection.js';
import type { ConnectionTable } from '../delivery/connection-table.js';
import { RefusalError } from '../refusals.js';

/** The positions of an admission; throws RefusalError by the name of what the engine refused it for. */
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
export function checkUserLimit(identity: Identity | null, connections: ConnectionTable, limit: number): void {
  if (limit === 0 || identity === null || connections.countOfUser(identity.user) < limit) return;
  throw new RefusalError('too_many_connections', `at most ${limit} connections per user`);
}

/**
 * The connections of this node that the engine will replace when it admits this one. Asked for before and closed after,
 * here and not only by the engine's command: otherwise a back end could hear of the new connection first, and take the
 * user for gone when it hears of the old one's end.
 */
export function connectionsToReplace(connection: Connection, connections: ConnectionTable): Connection[] {
  const { endpoint, user } = connection;
  if (user === null || endpoint.exclusive !== 'replace') return [];
  const ofUser = [...connections.ofUser(user)];
  return ofUser.filter((other) => other !== connection && other.endpoint === endpoint && other.state === 'open');
}

function blockedRefusal(block: Block): RefusalError {
  const message = block.reason === '' ? 'this user is blocked' : `this user is blocked: ${block.reason}`;
  const expiresAt = block.expiresAtMs === null ? null : formatGivenTime(block.expiresAtMs);
  return new RefusalError('user_blocked', message, { reason: block.reason, expires_at: expiresAt });
}

/**
 * Finds whose token it is; throws RefusalError by the token's own fault, or `unavailable` when the verifier cannot
 * work.
 */
export async function verifiedIdentity(verifier: TokenVerifier, token: string): Promise<Identity> {
  try {
    return await verifier.verify(token);
  } catch (error) {
    if (error instanceof TokenError) throw new RefusalError(error.code, error.message);
    if (error instanceof VerifierUnavailableError) throw new RefusalError('unavailable', error.message);
    throw error;
  }
}

/**
 * Asks who a client without a token is; throws RefusalError when the application says no, or nothing that could be
 * used.
 */
export async function identityWithoutToken(
  identifier: HandshakeIdentifier,
  handshake: TokenlessHandshake,
): Promise<Identity> {
  try {
    return await identifier.identify(handshake);
  } catch (error) {
    if (error instanceof AdmissionDeniedError) throw new RefusalError(error.code, error.message);
    if (error instanceof VerifierUnavailableError) throw new RefusalError('unavailable', error.message);
    throw error;
  }
}
