import { own } from '../../json.js';
import { keyStream, subscriptionStream, type Position } from '../../streams.js';
import type { Connection, Subscription } from '../delivery/connection.js';
import type { PendingSubscriptions, Subscriber } from '../subscriptions/subscriber.js';
import { RefusalError } from '../refusals.js';
import type { ClientRequest } from './client-request.js';
import { ConnectionBuckets } from '../rate-limits.js';
import { rateLimited, type CommandHandlers, type Outcome } from './outcome.js';
import type { TopicAccess, TopicWish } from '../subscriptions/topic-access.js';
import { namedTopics, topicRequests, type TopicRequest } from './topic-requests.js';

interface SubscribeDeps {
  readonly subscriber: Subscriber;
  readonly access: TopicAccess;
}

/** The commands `subscribe`, `unsubscribe` and `subscription`. Throw RefusalError and EngineError. */
export class SubscribeCommands {
  readonly #deps: SubscribeDeps;
  /** Each key is a watch in the engine: a connection may enter as many a second as it may be in. */
  readonly #keys = new ConnectionBuckets();

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
    const places = new Map(standing.map((place) => [place.localStream.stream, place]));
    const requests = access
      .requests(fresh, recover, connection.user)
      .filter(({ stream, after }) => after !== null || !places.has(stream));
    const entered = requests.filter(({ key, stream }) => key !== undefined && !places.has(stream)).length;
    if (!this.#mayEnter(connection, fresh, entered))
      return rateLimited('too many keys are entered and left in a second');
    const replaced = new Set(requests.map(({ stream }) => places.get(stream)).filter((place) => place !== undefined));
    const pending = await subscriber.begin(connection, requests, [...replaced]);
    await subscriber.readOpen(pending);
    const isRenewed = connection.login !== login && connection.user === login.user;
    if (isRenewed) this.#requireAllowed(connection, fresh, pending);
    const kept = standing.filter((place) => !replaced.has(place));
    const topics = subscriber.describe([...pending, ...(await this.#standing(kept, pending))]);
    return { status: 'ok', payload: { topics }, after: () => subscriber.complete(pending) };
  }

  /**
   * Tells what has to be subscribed from what is already: that stays as it is, and asking again is no error. Who names a
   * position asks for what follows it, so that stream begins anew there.
   */
  #sort(connection: Connection, wanted: readonly TopicRequest[]): SortedRequests {
    const { access } = this.#deps;
    const standing = connection.subscriptions.filter(({ kind }) => kind === 'topic');
    const known = Map.groupBy(standing, ({ name }) => name);
    access.requireRoomFor(new Set([...known.keys(), ...wanted.map(({ topic }) => topic)]).size);
    const sorted: SortedRequests = { fresh: [], standing: [], recover: new Map() };
    for (const request of wanted) {
      const { topic, keys } = access.wish({ name: request.topic, keys: request.keys }, connection.login);
      const places = known.get(topic.name) ?? [];
      if (topic.keys === null) {
        sorted.standing.push(...places);
        if (places.length === 0 || request.position !== null) sorted.fresh.push({ topic, keys });
        if (request.position !== null) sorted.recover.set(topic.name, request.position);
        continue;
      }
      const byKey = new Map(places.map((place) => [place.key, place]));
      access.requireRoomForKeys(topic, byKey.size + keys.filter((key) => !byKey.has(key)).length);
      const freshKeys = keys.filter((key) => !byKey.has(key) || request.positions.has(key));
      if (freshKeys.length > 0) sorted.fresh.push({ topic, keys: freshKeys });
      for (const key of keys) if (byKey.has(key)) sorted.standing.push(byKey.get(key)!);
      for (const [key, position] of request.positions) sorted.recover.set(keyStream(topic.name, key), position);
    }
    return sorted;
  }

  #mayEnter(connection: Connection, wishes: readonly TopicWish[], count: number): boolean {
    if (count === 0) return true;
    const perSecond = Math.max(...wishes.map(({ topic }) => topic.keys?.perConnection ?? 0));
    return this.#keys.take(connection, perSecond, count);
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
    // Walked once: a request may name thousands, and a connection may be in thousands.
    const wanted = new Map(requests.map(({ topic, keys }) => [topic, new Set(keys)]));
    const leaving = connection.subscriptions.filter(({ kind, name, key }) => {
      const keys = kind === 'topic' ? wanted.get(name) : undefined;
      return keys !== undefined && (key === undefined || keys.has(key));
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
    const places = new Map(connection.subscriptions.map((place) => [place.localStream.stream, place]));
    const left = ids.filter((id) => {
      const stream = subscriptionStream(id);
      const subscription = places.get(stream);
      if (subscription !== undefined) this.#deps.subscriber.leave(subscription);
      return places.delete(stream);
    });
    return { status: 'ok', payload: { ids: left } };
  }

  async #standing(standing: readonly Subscription[], pending: PendingSubscriptions): Promise<PendingSubscriptions> {
    const { subscriber } = this.#deps;
    try {
      return await subscriber.standing(standing);
    } catch (error) {
      // The request fails as a whole.
      subscriber.abandon(pending);
      throw error;
    }
  }
}

interface SortedRequests {
  /** Topics and keys that are new to the connection, or come with a position. */
  readonly fresh: TopicWish[];
  /** What the connection has of all that was asked for. */
  readonly standing: Subscription[];
  readonly recover: Map<string, Position>;
}

function badRequest(message: string): RefusalError {
  return new RefusalError('bad_request', message);
}
