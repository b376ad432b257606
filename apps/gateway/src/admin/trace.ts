import { isUserId, type HttpRequest, type TraceSubject } from '@ws-gateway/core';
import { AdminError } from './admin-error.js';
import { EventStream, type AdminDeps } from './route-context.js';
import { TraceFeed } from './trace-feed.js';

const ID_LENGTH_MAX = 1024;

/** Tells of every step of what concerns a user or a message, on all nodes, from now on. */
export async function trace({ traces, logger }: AdminDeps, request: HttpRequest): Promise<EventStream> {
  const subject = subjectOf(new URLSearchParams(request.query));
  const feed = new TraceFeed();
  const open = await traces.open(subject, feed);
  if (open === null) throw new AdminError('too_many_traces', 'ten traces are on already; each ends after ten minutes');
  logger.info('trace begun by the admin api', { target: 'user' in subject ? subject.user : subject.id });
  feed.begin(open);
  return new EventStream((client) => feed.attach(client));
}

function subjectOf(query: URLSearchParams): TraceSubject {
  const [user, id] = [query.get('user'), query.get('id')];
  if ((user === null) === (id === null)) throw new AdminError('bad_request', 'either user or id');
  if (user !== null && !isUserId(user)) throw new AdminError('bad_request', 'user: a user id');
  if (user !== null) return { user };
  if (id === '' || id!.length > ID_LENGTH_MAX)
    throw new AdminError('bad_request', `id: 1 to ${ID_LENGTH_MAX} characters`);
  return { id: id! };
}
