import { randomUUID } from 'node:crypto';
import {
  APPLIED_HEADER,
  defaultTopicPolicy,
  formatGivenTime,
  type Block,
  type HttpRequest,
  type OutgoingRecord,
  type TopicPolicy,
} from '@ws-gateway/core';
import { AdminError } from './admin-error.js';
import { userOf, type AdminDeps } from './route-context.js';
import { jsonBody } from './json-body.js';
import { cursorOf, lastBefore, limitOf } from './paging.js';
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
  deps.logger.info('user blocked by the admin api', { target: user, expiresAt });
  return { user, blocked: isBlocked, reason: reason ?? '', expires_at: expiresAt };
}

export async function unblock(deps: AdminDeps, request: HttpRequest): Promise<object> {
  const user = userOf(request);
  await apply(deps, user, { blocked: false });
  deps.logger.info('user unblocked by the admin api', { target: user });
  return { user, blocked: false };
}

/** Lists the blocks that hold, in the order of the users. */
export async function blocks({ engine }: AdminDeps, request: HttpRequest): Promise<object> {
  const query = new URLSearchParams(request.query);
  const limit = limitOf(query);
  const found = await engine.blocks(lastBefore(query), limit + 1);
  const rows = found.slice(0, limit).map(({ user, block: row }) => blockView(user, row));
  return { blocks: rows, ...(found.length > limit ? { cursor: cursorOf(rows.at(-1)!.user) } : {}) };
}

export async function blockOf({ engine }: AdminDeps, request: HttpRequest): Promise<object> {
  const user = userOf(request);
  const found = await engine.blockOf(user);
  if (found === null) throw new AdminError('not_blocked', 'this user is not blocked');
  return blockView(user, found);
}

function blockView(user: string, { reason, expiresAtMs }: Block) {
  return { user, reason, expires_at: expiresAtMs === null ? null : formatGivenTime(expiresAtMs) };
}

/** Payload of a user-blocks record; what it may be is checked as there. */
interface BlockPayload {
  readonly blocked: boolean;
  readonly reason?: unknown;
  readonly expires_at?: unknown;
}

/**
 * Does what a user-blocks record does: the frame for those subscribed, the block, the end of the user's sockets in one step.
 * Where such a topic is read the record is written first, so that the topic stays the only truth. It says that the step is
 * brought here, too: a router may read it before, or be far behind.
 */
async function apply(deps: AdminDeps, user: string, payload: BlockPayload): Promise<boolean> {
  const policy = [...deps.topics.values()].find(({ blocks }) => blocks) ?? FALLBACK_BLOCK_POLICY;
  const value = Buffer.from(JSON.stringify({ user_id: user, payload }));
  const id = randomUUID();
  const items = messageItems(deps, policy, { value, id, isApplied: true });
  const isBlock = items.some((item) => item.kind === 'block' && item.block !== null);
  // Such a record would lift a block that is there: no one who writes to block a user wants that.
  if (payload.blocked && !isBlock) throw new AdminError('bad_request', 'expires_at: is over');
  await record(deps, policy, { key: user, value, headers: { 'ws-id': id, [APPLIED_HEADER]: '1' } });
  await deps.engine.publish({ source: null, items });
  return isBlock;
}

async function record({ writer, logger }: AdminDeps, policy: TopicPolicy, written: OutgoingRecord): Promise<void> {
  // A record of another format could not be read from that topic.
  if (writer === null || policy === FALLBACK_BLOCK_POLICY || policy.format !== 'envelope') return;
  try {
    await writer.write(policy.kafkaTopic, [written]);
  } catch (error) {
    logger.warn('block could not be written to kafka', { topic: policy.kafkaTopic, error: String(error) });
    throw new AdminError('unavailable', 'kafka cannot take the block right now; try again');
  }
}
