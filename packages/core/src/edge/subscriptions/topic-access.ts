import { keyStream, publicStream, userStream, type Position } from '../../streams.js';
import type { TopicPolicy } from '../../topics.js';
import type { SubscribeRequest } from '../delivery/connection.js';
import type { Login } from '../login.js';
import { RefusalError, requireAtMost } from '../refusals.js';

/** A topic that a client may have. */
export interface TopicWish {
  readonly topic: TopicPolicy;
  /** Keys of it that are wanted, each once; none of a topic that has no keys. */
  readonly keys: readonly string[];
}

/**
 * Knows which topics, and which keys of them, a client may have: they exist, are visible, and the token allows them;
 * guests get only what is for guests.
 */
export class TopicAccess {
  readonly #topics: ReadonlyMap<string, TopicPolicy>;
  readonly #options: { readonly topicsPerConnection: number };

  constructor(topics: readonly TopicPolicy[], options: { readonly topicsPerConnection: number }) {
    this.#topics = new Map(topics.filter((topic) => topic.clientVisible).map((topic) => [topic.name, topic]));
    this.#options = options;
  }

  /** Throws RefusalError `unknown_topic` with the list of known ones, or `topic_forbidden`. */
  require(name: string, login: Login): TopicPolicy {
    const topic = this.#topics.get(name);
    if (topic === undefined) {
      const known = [...this.#topics.keys()].join(', ');
      throw new RefusalError('unknown_topic', `unknown topic ${name}; known topics: ${known}`);
    }
    if (!login.allowsTopic(topic)) {
      const why = login.user === null ? 'for guests' : 'by the token';
      throw new RefusalError('topic_forbidden', `topic ${name} is not allowed ${why}`);
    }
    return topic;
  }

  /**
   * What a client asks for, with the keys it names, each once. Throws RefusalError as `require` does, `bad_request` when
   * the topic is of keys and none is named, or the other way round, and `key_forbidden`.
   */
  wish({ name, keys }: { name: string; keys: readonly string[] | undefined }, login: Login): TopicWish {
    const topic = this.require(name, login);
    requireKeysOf(topic, keys);
    const forbidden = keys?.find((key) => !login.allowsKey(topic.keys!, key));
    if (forbidden === undefined) return { topic, keys: keys ?? [] };
    throw new RefusalError('key_forbidden', `key ${forbidden} of topic ${name} is not allowed by the token`);
  }

  /** Throws RefusalError `bad_request` when keys of a topic have to be named, or cannot be. */
  requireKeys(name: string, keys: readonly string[] | undefined): void {
    const topic = this.#topics.get(name);
    if (topic !== undefined) requireKeysOf(topic, keys);
  }

  /** Tells whether the login may stay in a topic, or a key of it, that it is subscribed to. */
  allows({ name, key }: { readonly name: string; readonly key: string | undefined }, login: Login): boolean {
    const topic = this.#topics.get(name);
    if (topic === undefined || !login.allowsTopic(topic)) return false;
    return topic.keys === null || key === undefined || login.allowsKey(topic.keys, key);
  }

  requireRoomFor(count: number): void {
    requireAtMost(this.#options.topicsPerConnection, 'topics', count);
  }

  requireRoomForKeys({ name, keys }: TopicPolicy, count: number): void {
    if (keys === null || count <= keys.perConnection) return;
    throw new RefusalError(
      'too_many_keys',
      `too many keys of topic ${name}: at most ${keys.perConnection} per connection`,
    );
  }

  /** The streams of each topic, with the positions given; a position for anything else is `bad_request`. */
  requests(
    topics: readonly TopicWish[],
    recover: ReadonlyMap<string, Position>,
    user: string | null,
  ): SubscribeRequest[] {
    const used = new Set<string>();
    const take = (stream: string): Position | null => {
      if (recover.has(stream)) used.add(stream);
      return recover.get(stream) ?? null;
    };
    const requests: SubscribeRequest[] = [];
    for (const { topic, keys } of topics) {
      const target = { kind: 'topic', name: topic.name, policy: topic } as const;
      for (const key of keys) {
        const stream = keyStream(topic.name, key);
        requests.push({ ...target, key, stream, shared: true, after: take(stream) });
      }
      if (topic.keys !== null) continue;
      if (user !== null) {
        const stream = userStream(topic.name, user);
        const bare = take(topic.name);
        requests.push({ ...target, stream, shared: false, after: take(stream) ?? bare });
      }
      const stream = publicStream(topic.name);
      // A guest has no other stream that the topic's name could mean.
      const bare = user === null ? take(topic.name) : null;
      requests.push({ ...target, stream, shared: true, after: take(stream) ?? bare });
    }
    if (used.size === recover.size) return requests;
    throw new RefusalError('bad_request', 'recover: names a stream that is not subscribed');
  }
}

function requireKeysOf({ name, keys: rules }: TopicPolicy, keys: readonly string[] | undefined): void {
  const isNamed = keys !== undefined && keys.length > 0;
  if (rules === null && keys !== undefined) throw new RefusalError('bad_request', `keys: topic ${name} has none`);
  if (rules !== null && !isNamed) throw new RefusalError('bad_request', `keys: topic ${name} is of keys, name some`);
}
