import type { NamedTopic } from '../../frame.js';
import { isObject, own } from '../../json.js';
import { isName, isUserId } from '../../names.js';
import type { Position } from '../../streams.js';
import type { Subscription } from '../delivery/connection.js';
import { RefusalError } from '../refusals.js';
import { positionOf, type ClientRequest } from './client-request.js';

/** What a request says of one topic. */
export interface TopicRequest {
  readonly topic: string;
  /** Position in the user's own stream; null: none. */
  readonly position: Position | null;
  /** Keys, each once; undefined: the request names none. */
  readonly keys: readonly string[] | undefined;
  /** Positions by key, of those keys only. */
  readonly positions: ReadonlyMap<string, Position>;
}

/** Reads `topics` of a request: each topic once, with all that is said of it. Throws RefusalError `bad_request`. */
export function topicRequests(request: ClientRequest): TopicRequest[] {
  const topics = own(request.options, 'topics');
  if (!Array.isArray(topics) || topics.length === 0) throw badRequest('topics: a list of topics is needed');
  const requests = new Map<string, GatheredRequest>();
  for (const entry of topics as unknown[]) {
    const next = topicRequest(entry);
    const before = requests.get(next.topic);
    if (before === undefined) requests.set(next.topic, next);
    else gather(before, next);
  }
  return Array.from(requests.values(), ({ keys, ...rest }) => ({ ...rest, keys: keys && [...keys] }));
}

/** Names what subscriptions are to, in the form in which requests name it: each topic once. */
export function namedTopics(subscriptions: readonly Pick<Subscription, 'name' | 'key'>[]): NamedTopic[] {
  const topics = new Map<string, string[]>();
  for (const { name, key } of subscriptions) {
    const keys = topics.get(name) ?? [];
    if (key !== undefined) keys.push(key);
    topics.set(name, keys);
  }
  return Array.from(topics, ([topic, keys]) => (keys.length === 0 ? topic : { topic, keys }));
}

export function requireKey(value: unknown): string {
  if (typeof value === 'string' && isUserId(value)) return value;
  throw badRequest('key: 1 to 128 characters of text');
}

function topicRequest(entry: unknown): GatheredRequest {
  if (typeof entry === 'string') {
    return { topic: requireTopic(entry), position: null, keys: undefined, positions: new Map() };
  }
  if (!isObject(entry)) throw badRequest('topics: each is a name or {"topic","epoch","offset"} or {"topic","keys"}');
  const topic = requireTopic(own(entry, 'topic'));
  const keys = keysOf(own(entry, 'keys'));
  const position = positionOf(entry);
  if (keys !== undefined && position !== null) throw badRequest('epoch, offset: of keys they are in positions');
  return { topic, position, keys, positions: positionsOf(own(entry, 'positions'), keys) };
}

/** What entries of one topic say together. It is added to in place: copied for each entry, thousands of them cost a second. */
interface GatheredRequest {
  readonly topic: string;
  position: Position | null;
  keys: Set<string> | undefined;
  readonly positions: Map<string, Position>;
}

function gather(before: GatheredRequest, next: GatheredRequest): void {
  before.position = next.position ?? before.position;
  if (before.keys === undefined) before.keys = next.keys;
  else for (const key of next.keys ?? []) before.keys.add(key);
  for (const [key, position] of next.positions) before.positions.set(key, position);
}

function keysOf(value: unknown): Set<string> | undefined {
  if (value === undefined) return undefined;
  if (!Array.isArray(value)) throw badRequest('keys: a list of texts is needed');
  return new Set(value.map(requireKey));
}

function positionsOf(value: unknown, keys: ReadonlySet<string> | undefined): Map<string, Position> {
  const positions = new Map<string, Position>();
  if (value === undefined) return positions;
  if (!isObject(value)) throw badRequest('positions: {"<key>":{"epoch","offset"}}');
  for (const [key, entry] of Object.entries(value)) {
    if (keys?.has(key) !== true) throw badRequest('positions: names a key that is not in keys');
    const position = isObject(entry) ? positionOf(entry) : null;
    if (position === null) throw badRequest('positions: of each key {"epoch","offset"}');
    positions.set(key, position);
  }
  return positions;
}

function requireTopic(value: unknown): string {
  if (typeof value === 'string' && isName(value)) return value;
  throw badRequest('topic: 1 to 128 characters of A-Z a-z 0-9 . _ -');
}

function badRequest(message: string): RefusalError {
  return new RefusalError('bad_request', message);
}
