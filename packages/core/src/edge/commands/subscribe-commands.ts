import { isObject, own } from '../../json.js';
import { isName } from '../../names.js';
import { subscriptionStream, type Position } from '../../streams.js';
import type { TopicPolicy } from '../../topics.js';
import type { Connection, Subscription } from '../delivery/connection.js';
import type { PendingSubscriptions, Subscriber } from '../subscriptions/subscriber.js';
import { RefusalError } from '../refusals.js';
import { positionOf, type ClientRequest } from './client-request.js';
import type { CommandHandlers, Outcome } from './outcome.js';
import type { TopicAccess } from '../subscriptions/topic-access.js';

interface SubscribeDeps {
  readonly subscriber: Subscriber;
  readonly access: TopicAccess;
}

/** The commands `subscribe`, `unsubscribe` and `subscription`. Throw RefusalError and EngineError. */
export class SubscribeCommands {
  readonly #deps: SubscribeDeps;

  constructor(deps: SubscribeDeps) {
    this.#deps = deps;
  }

  get handlers(): CommandHandlers {
    return {
      subscribe: (connection, request) => this.#subscribe(connection, request),
      unsubscribe: (connection, request) => this.#unsubscribe(connection, request),
      subscription: (connection, request) => this.#unsubscribeIds(connection, request),
    };
  }

  async #subscribe(connection: Connection, request: ClientRequest): Promise<Outcome> {
    const { access, subscriber } = this.#deps;
    const wanted = topicRequests(request);
    const known = connection.namesOf('topic');
    const fresh = new Map<string, TopicPolicy>();
    const recover = new Map<string, Position>();
    for (const { topic, position } of wanted) {
      const policy = access.require(topic, connection.login);
      // Subscribed already: it stays as it is, and asking again is no error.
      if (known.has(topic)) continue;
      fresh.set(topic, policy);
      if (position !== null) recover.set(topic, position);
    }
    access.requireRoomFor(known.size + fresh.size);
    const requests = access.requests([...fresh.values()], recover, connection.user);
    // Looked up before the first await: what is made meanwhile is not what was asked for again.
    const repeated = new Set(wanted.map(({ topic }) => topic).filter((topic) => !fresh.has(topic)));
    const standing = connection.subscriptions.filter(({ kind, name }) => kind === 'topic' && repeated.has(name));
    const pending = await subscriber.begin(connection, requests);
    await subscriber.readOpen(pending);
    const topics = [...subscriber.describe(pending), ...(await this.#describeStanding(standing, pending))];
    return { status: 'ok', payload: { topics }, after: () => subscriber.complete(pending) };
  }

  #unsubscribe(connection: Connection, request: ClientRequest): Outcome {
    const names = new Set(topicRequests(request).map(({ topic }) => topic));
    const leaving = connection.subscriptions.filter(({ kind, name }) => kind === 'topic' && names.has(name));
    const left = [...new Set(leaving.map(({ name }) => name))];
    for (const subscription of leaving) this.#deps.subscriber.leave(subscription);
    return { status: 'ok', payload: { topics: left } };
  }

  /** Takes ids only to leave them: an id could be guessed, so it is never a way in. */
  #unsubscribeIds(connection: Connection, request: ClientRequest): Outcome {
    const ids = own(request.options, 'ids');
    if (!Array.isArray(ids) || !ids.every((id) => typeof id === 'string'))
      throw badRequest('ids: a list of texts is needed');
    if (own(request.options, 'action') !== 'unsubscribe') throw badRequest('action: only "unsubscribe" is possible');
    const left = ids.filter((id) => {
      const subscription = connection.subscriptionTo(subscriptionStream(id));
      if (subscription !== undefined) this.#deps.subscriber.leave(subscription);
      return subscription !== undefined;
    });
    return { status: 'ok', payload: { ids: left } };
  }

  async #describeStanding(
    standing: readonly Subscription[],
    pending: PendingSubscriptions,
  ): Promise<ReturnType<Subscriber['describe']>> {
    const { subscriber } = this.#deps;
    try {
      return subscriber.describe(await subscriber.standing(standing));
    } catch (error) {
      // The request fails as a whole.
      subscriber.abandon(pending);
      throw error;
    }
  }
}

interface TopicRequest {
  readonly topic: string;
  readonly position: Position | null;
}

function topicRequests(request: ClientRequest): TopicRequest[] {
  const topics = own(request.options, 'topics');
  if (!Array.isArray(topics) || topics.length === 0) throw badRequest('topics: a list of topics is needed');
  return topics.map((entry: unknown) => {
    if (typeof entry === 'string') return { topic: requireName(entry), position: null };
    if (!isObject(entry)) throw badRequest('topics: each is a name or {"topic","epoch","offset"}');
    return { topic: requireName(own(entry, 'topic')), position: positionOf(entry) };
  });
}

function requireName(value: unknown): string {
  if (typeof value === 'string' && isName(value)) return value;
  throw badRequest('topic: 1 to 128 characters of A-Z a-z 0-9 . _ -');
}

function badRequest(message: string): RefusalError {
  return new RefusalError('bad_request', message);
}
