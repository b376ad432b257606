import { own } from '../../json.js';
import { keyStream, subscriptionStream, type Position } from '../../streams.js';
import type { Connection, Subscription } from '../delivery/connection.js';
import type { PendingSubscriptions, Subscriber } from '../subscriptions/subscriber.js';
import { RefusalError } from '../refusals.js';
import type { ClientRequest } from './client-request.js';
import type { CommandHandlers, Outcome } from './outcome.js';
import type { TopicAccess, TopicWish } from '../subscriptions/topic-access.js';
import { namedTopics, topicRequests, type TopicRequest } from './topic-requests.js';

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
    // Looked up before the first await: what is made meanwhile is not what was asked for again.
    const { fresh, standing, recover } = this.#sort(connection, topicRequests(request));
    const { login } = connection;
    const pending = await subscriber.begin(connection, access.requests(fresh, recover, connection.user));
    await subscriber.readOpen(pending);
    const isRenewed = connection.login !== login && connection.user === login.user;
    if (isRenewed) this.#requireAllowed(connection, fresh, pending);
    const topics = [...subscriber.describe(pending), ...(await this.#describeStanding(standing, pending))];
    return { status: 'ok', payload: { topics }, after: () => subscriber.complete(pending) };
  }

  /** Tells what has to be subscribed from what is already: that stays as it is, and asking again is no error. */
  #sort(connection: Connection, wanted: readonly TopicRequest[]): SortedRequests {
    const { access } = this.#deps;
    const known = topicSubscriptions(connection);
    const sorted: SortedRequests = { fresh: [], standing: [], recover: new Map() };
    for (const request of wanted) {
      const { topic, keys } = access.wish({ name: request.topic, keys: request.keys }, connection.login);
      const places = known.get(topic.name) ?? new Map<string | undefined, Subscription>();
      if (topic.keys === null) {
        if (places.size > 0) sorted.standing.push(...subscriptionsOf(connection, topic.name));
        else sorted.fresh.push({ topic, keys });
        if (places.size === 0 && request.position !== null) sorted.recover.set(topic.name, request.position);
        continue;
      }
      const freshKeys = keys.filter((key) => !places.has(key));
      access.requireRoomForKeys(topic, places.size + freshKeys.length);
      if (freshKeys.length > 0) sorted.fresh.push({ topic, keys: freshKeys });
      for (const key of keys) if (places.has(key)) sorted.standing.push(places.get(key)!);
      for (const key of freshKeys) {
        const position = request.positions.get(key);
        if (position !== undefined) sorted.recover.set(keyStream(topic.name, key), position);
      }
    }
    access.requireRoomFor(new Set([...known.keys(), ...sorted.fresh.map(({ topic }) => topic.name)]).size);
    return sorted;
  }

  /** A token that came meanwhile may have taken away what was asked for: then the request fails as a whole. */
  #requireAllowed({ login }: Connection, wishes: readonly TopicWish[], pending: PendingSubscriptions): void {
    const { access, subscriber } = this.#deps;
    try {
      for (const { topic, keys } of wishes)
        access.wish({ name: topic.name, keys: topic.keys === null ? undefined : keys }, login);
    } catch (error) {
      subscriber.abandon(pending);
      throw error;
    }
  }

  #unsubscribe(connection: Connection, request: ClientRequest): Outcome {
    const requests = topicRequests(request);
    for (const { topic, keys } of requests) this.#deps.access.requireKeys(topic, keys);
    const leaving = requests.flatMap(({ topic, keys }) => {
      const wanted = new Set(keys);
      return subscriptionsOf(connection, topic).filter(({ key }) => key === undefined || wanted.has(key));
    });
    for (const subscription of leaving) this.#deps.subscriber.leave(subscription);
    return { status: 'ok', payload: { topics: namedTopics(leaving) } };
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

interface SortedRequests {
  readonly fresh: TopicWish[];
  readonly standing: Subscription[];
  readonly recover: Map<string, Position>;
}

/** The connection's places in topics: by topic, and there by key. */
function topicSubscriptions(connection: Connection): Map<string, Map<string | undefined, Subscription>> {
  const topics = new Map<string, Map<string | undefined, Subscription>>();
  for (const subscription of connection.subscriptions) {
    const { kind, name, key } = subscription;
    if (kind !== 'topic') continue;
    const places = topics.get(name);
    if (places === undefined) topics.set(name, new Map([[key, subscription]]));
    else places.set(key, subscription);
  }
  return topics;
}

function subscriptionsOf({ subscriptions }: Connection, topic: string): Subscription[] {
  return subscriptions.filter(({ kind, name }) => kind === 'topic' && name === topic);
}

function badRequest(message: string): RefusalError {
  return new RefusalError('bad_request', message);
}
