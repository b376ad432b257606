import { parseRfc3339, type Revocation, type HttpRequest } from '@ws-gateway/core';
import { AdminError } from './admin-error.js';
import { requireUser, type AdminDeps } from './route-context.js';
import { jsonBody } from './json-body.js';

/**
 * Time in ms for which a revocation is kept by default: longer than tokens live where somebody thinks of revoking them.
 */
const DEFAULT_TTL_MS = 30 * 86_400_000;

/** Takes tokens back: no handshake with one succeeds any more, and open sockets that came with one close (4504). */
export async function revoke(deps: AdminDeps, request: HttpRequest): Promise<object> {
  const { object } = await jsonBody(request, { mayBeEmpty: false });
  const { jti, user, issued_before: issuedBefore, expires_at: expiresAt } = object;
  if ((jti === undefined) === (user === undefined)) throw new AdminError('bad_request', 'either jti or user');
  const nowMs = Date.now();
  const untilMs = timeOf('expires_at', expiresAt) ?? nowMs + DEFAULT_TTL_MS;
  if (untilMs <= nowMs) throw new AdminError('bad_request', 'expires_at: is over');
  const revocation: Revocation =
    jti === undefined
      ? { user: requireUser(user as string), issuedBeforeMs: timeOf('issued_before', issuedBefore) ?? nowMs }
      : { tokenId: requireTokenId(jti) };
  await deps.engine.revoke(revocation, untilMs);
  deps.logger.info('tokens revoked by the admin api', {
    target: 'user' in revocation ? revocation.user : revocation.tokenId,
    ...revocation,
    untilMs,
  });
  return { revoked: true, expires_at: new Date(untilMs).toISOString() };
}

function requireTokenId(jti: unknown): string {
  if (typeof jti === 'string' && jti !== '' && jti.length <= 256) return jti;
  throw new AdminError('bad_request', 'jti: 1 to 256 characters');
}

function timeOf(name: string, text: unknown): number | null {
  if (text === undefined || text === null) return null;
  const ms = typeof text === 'string' ? parseRfc3339(text) : null;
  if (ms === null) throw new AdminError('bad_request', `${name}: an RFC 3339 time`);
  return ms;
}
