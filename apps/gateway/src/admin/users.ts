import { userStream, type HttpRequest, type RetainedStream } from '@ws-gateway/core';
import { userOf, type AdminDeps } from './route-context.js';

/** Forgets what is kept of a user in the topics of this node, and closes the user's connections. A block stays. */
export async function erase({ engine, topics, logger }: AdminDeps, request: HttpRequest): Promise<object> {
  const user = userOf(request);
  const streams = [...topics.values()].flatMap(({ name, retention }): RetainedStream[] =>
    retention === null ? [] : [{ stream: userStream(name, user), retention, user }],
  );
  const erased = await engine.erase(user, streams);
  logger.info('user erased by the admin api', { target: user, ...erased });
  return { erased };
}
