import { publicStream, userStream, type Position } from '../../streams.js';
import type { TopicPolicy } from '../../topics.js';
import type { SubscribeRequest } from '../delivery/connection.js';
import type { Login } from '../login.js';
import { RefusalError } from '../refusals.js';

/**
 * Knows which topics a client may have: they exist, are visible, and the token allows them; guests get only what is for
 * guests.
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

  /** Tells whether the login may stay in a topic that it is subscribed to. */
  allows(name: string, login: Login): boolean {
    const topic = this.#topics.get(name);
    return topic !== undefined && login.allowsTopic(topic);
  }

  requireRoomFor(count: number): void {
    const { topicsPerConnection } = this.#options;
    if (count <= topicsPerConnection) return;
    throw new RefusalError('bad_request', `too many topics: at most ${topicsPerConnection} per connection`);
  }

  /** The streams of each topic, with the positions given; a position for anything else is `bad_request`. */
  requests(
    topics: readonly TopicPolicy[],
    recover: ReadonlyMap<string, Position>,
    user: string | null,
  ): SubscribeRequest[] {
    const used = new Set<string>();
    const take = (stream: string): Position | null => {
      if (recover.has(stream)) used.add(stream);
      return recover.get(stream) ?? null;
    };
    const requests: SubscribeRequest[] = [];
    for (const topic of topics) {
      const target = { kind: 'topic', name: topic.name, policy: topic } as const;
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
