import { rejectionCodes, type HttpRequest, type RejectionCode } from '@ws-gateway/core';
import type { DeadLetterArchive, DeadLetterFilter } from '../records/dead-letter-archive.js';
import { deadLetterView } from '../records/dead-letter.js';
import { AdminError } from './admin-error.js';
import { limitOf } from './paging.js';
import type { AdminDeps } from './route-context.js';

/** Records of each partition that an answer looks at. More would keep the node busy: that is for `ws-gateway dlq`. */
const NEWEST = 10_000;

/** Counts dead letters by topic and reason; with `limit` it shows the newest, too. */
export async function deadLetters(deps: AdminDeps, request: HttpRequest): Promise<object> {
  const query = new URLSearchParams(request.query);
  const filter = filterOf(deps, query);
  const limit = limitOf(query, 0);
  return deps.deadLetters(async (archive) => {
    const bounds = await archive.bounds(NEWEST);
    const dead_letters = await archive.count(bounds, filter);
    const letters = limit === 0 ? [] : await archive.newest(bounds, filter, limit);
    return {
      dead_letters,
      ...(limit === 0 ? {} : { letters: letters.map(deadLetterView) }),
      ...((await isCut(archive)) ? { incomplete: true } : {}),
    };
  });
}

async function isCut(archive: DeadLetterArchive): Promise<boolean> {
  return (await archive.bounds()).some(({ begin, end }) => end - begin > NEWEST);
}

function filterOf({ topics }: AdminDeps, query: URLSearchParams): DeadLetterFilter {
  const reason = query.get('reason') ?? undefined;
  const topic = query.get('topic') ?? undefined;
  if (reason !== undefined && !rejectionCodes.includes(reason as RejectionCode)) {
    throw new AdminError('bad_request', `reason: one of ${rejectionCodes.join(', ')}`);
  }
  return { reason, topic: topic === undefined ? undefined : (topics.get(topic)?.kafkaTopic ?? topic) };
}
