import { readEventId, type EventId } from '../../sse/event-id.js';
import type { Handshake } from '../../transport.js';
import type { SubscribeRequest } from '../delivery/connection.js';
import { RefusalError } from '../refusals.js';

const NOWHERE: EventId = { wasReplaced: false, after: () => null };

/** Where a client of server-sent events goes on; null: it is no such client. Throws RefusalError. */
export function resumeOf({ lastEventId }: Handshake): EventId | null {
  if (lastEventId === undefined) return null;
  if (lastEventId === '') return NOWHERE;
  const id = readEventId(lastEventId);
  if (id === null) throw new RefusalError('bad_request', 'Last-Event-ID: is not the id of an event of this gateway');
  return id;
}

/** Gives each stream the position of the last event, unless the query has said another one. */
export function resumed(requests: readonly SubscribeRequest[], resume: EventId | null): readonly SubscribeRequest[] {
  if (resume === null) return requests;
  return requests.map((request) =>
    request.after === null && request.policy.retention !== null
      ? { ...request, after: resume.after(request.stream) }
      : request,
  );
}

/**
 * An EventSource comes back by itself, also when another connection took its place. It may have a place that is free, but
 * not take the other one's: the two would go on replacing each other.
 */
export function sessionsOf<Sessions extends { readonly policy: 'reject' | 'replace' }>(
  sessions: Sessions | null,
  resume: EventId | null,
): Sessions | null {
  return sessions !== null && resume?.wasReplaced === true ? { ...sessions, policy: 'reject' } : sessions;
}
