import { closeReason, connectionViews, type ConnectionSearch, type HttpRequest } from '@ws-gateway/core';
import { AdminError } from './admin-error.js';
import { cursorOf, lastBefore, limitOf } from './paging.js';
import { requireUser, userOf, type AdminDeps } from './route-context.js';

/** Lists open connections of all nodes in the order of their ids. */
export async function connections({ survey }: AdminDeps, request: HttpRequest): Promise<object> {
  const query = new URLSearchParams(request.query);
  const wanted = { ...searchOf(query), after: lastBefore(query), limit: limitOf(query) };
  const { connections: rows, next, missing } = await survey.connections(wanted);
  return {
    connections: rows,
    ...(next === null ? {} : { cursor: cursorOf(next) }),
    ...(missing.length === 0 ? {} : { missing }),
  };
}

function searchOf(query: URLSearchParams): Omit<ConnectionSearch, 'after' | 'limit'> {
  const slow = query.get('slow');
  if (slow !== null && slow !== 'true') throw new AdminError('bad_request', 'slow: true, or left out');
  const texts = ['user', 'address', 'topic', 'endpoint'].flatMap((name) => {
    const text = query.get(name);
    return text === null ? [] : [[name, text] as const];
  });
  return { ...Object.fromEntries(texts), ...(slow === null ? {} : { slow: true }) };
}

export async function presence(deps: AdminDeps, request: HttpRequest): Promise<object> {
  return { connections: connectionViews(await deps.engine.presence(userOf(request))) };
}

/** Closes one connection, a guest's too, wherever it is. Its id begins with the name of its node. */
export async function revokeConnection(deps: AdminDeps, request: HttpRequest): Promise<object> {
  const id = request.params['id'] ?? '';
  const node = id.slice(0, Math.max(0, id.lastIndexOf('-')));
  const found = await deps.survey.connection(node, id);
  if (found === null) throw new AdminError('unknown_connection', 'no such connection; it may have closed already');
  const close = closeReason('revoked');
  await deps.engine.control({ kind: 'node', node }, { command: 'close', user: found.user, connection: id, close });
  deps.logger.info('connection revoked by the admin api', { target: id });
  return { closed: 1 };
}

/** Closes all of a user's connections. */
export async function revokeUser(deps: AdminDeps, request: HttpRequest): Promise<object> {
  const user = requireUser(new URLSearchParams(request.query).get('user'));
  const rows = await deps.engine.presence(user);
  // Not only when there are rows: one that comes in between is closed, too.
  await deps.engine.control({ kind: 'user', user }, { command: 'close', user, close: closeReason('revoked') });
  deps.logger.info('user disconnected by the admin api', { target: user, connections: rows.length });
  return { closed: rows.length };
}
