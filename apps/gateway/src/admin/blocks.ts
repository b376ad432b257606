import { randomUUID } from 'node:crypto';
import { defaultTopicPolicy, type HttpRequest, type TopicPolicy } from '@ws-gateway/core';
import { AdminError } from './admin-error.js';
import { userOf, type AdminDeps } from './route-context.js';
import { jsonBody } from './json-body.js';
import { messageItems } from './message.js';

/** Used when no configured topic has `blocks`: no client can be subscribed to it, but the block itself still applies. */
const FALLBACK_BLOCK_POLICY: TopicPolicy = {
  ...defaultTopicPolicy('user-blocks'),
  type: 'user_block',
  retention: null,
  clientVisible: false,
  blocks: true,
};

export async function block(deps: AdminDeps, request: HttpRequest): Promise<object> {
  const user = userOf(request);
  const { object } = await jsonBody(request, { mayBeEmpty: true });
  const { reason = null, expires_at: expiresAt = null } = object;
  const isBlocked = await apply(deps, user, { blocked: true, reason, expires_at: expiresAt });
  deps.logger.info('user blocked by the admin api', { user, expiresAt });
  return { user, blocked: isBlocked, reason: reason ?? '', expires_at: expiresAt };
}

export async function unblock(deps: AdminDeps, request: HttpRequest): Promise<object> {
  const user = userOf(request);
  await apply(deps, user, { blocked: false });
  deps.logger.info('user unblocked by the admin api', { user });
  return { user, blocked: false };
}

/** Of a user-blocks record; what it may be is checked as there. */
interface BlockPayload {
  readonly blocked: boolean;
  readonly reason?: unknown;
  readonly expires_at?: unknown;
}

/** As a user-blocks record: the frame for those subscribed, the block, the end of the user's sockets in one step. */
async function apply(deps: AdminDeps, user: string, payload: BlockPayload): Promise<boolean> {
  const policy = [...deps.topics.values()].find(({ blocks }) => blocks) ?? FALLBACK_BLOCK_POLICY;
  const value = Buffer.from(JSON.stringify({ user_id: user, payload }));
  const items = messageItems(deps, policy, { value, id: randomUUID() });
  const isBlock = items.some((item) => item.kind === 'block' && item.block !== null);
  // Such a record would lift a block that is there: no one who writes to block a user wants that.
  if (payload.blocked && !isBlock) throw new AdminError('bad_request', 'expires_at: is over');
  await deps.engine.publish({ source: null, items });
  return isBlock;
}
