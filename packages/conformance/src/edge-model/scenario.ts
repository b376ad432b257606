import {
  defaultTopicPolicy,
  keyStream,
  publicStream,
  roomStream,
  unretainedPolicy,
  userStream,
  type Retention,
  type StreamName,
  type StreamPolicy,
  type TopicPolicy,
} from '@ws-gateway/core';

/** Messages kept of each stream: few, so that a client falls behind them within some steps. */
export const HISTORY = 8;
export const USERS = ['ann', 'bob'] as const;
export type User = (typeof USERS)[number];

export const TOPIC = 'notifications';
export const BLOCKS = 'user-blocks';
export const ROOM = 'lobby';
/** A topic of keys, which any user may have any of. */
export const QUOTES = 'quotes';
export const KEYS = ['A', 'a/b,c', '__proto__'] as const;

export const retention: Retention = { mode: 'ordered', size: HISTORY, ttlMs: 600_000 };

const queueBytes = 1024 * 1024;

export const topics: readonly TopicPolicy[] = [
  { ...defaultTopicPolicy(TOPIC), type: 'notification', retention, queueBytes },
  { ...defaultTopicPolicy(QUOTES), retention, queueBytes, keys: { perConnection: KEYS.length, claim: null } },
  { ...defaultTopicPolicy(BLOCKS), type: 'user_block', retention: null, queueBytes, blocks: true },
];
export const roomPolicy: StreamPolicy = { ...unretainedPolicy('room'), retention, queueBytes };

/** Streams with history that a connection of the user can be in. */
export function streamsOf(user: User) {
  return {
    own: userStream(TOPIC, user),
    public: publicStream(TOPIC),
    room: roomStream(ROOM),
    keys: KEYS.map(quotesOf),
  };
}

export function quotesOf(key: string): StreamName {
  return keyStream(QUOTES, key);
}

/** Some of the keys, at least one. */
export function someKeys(n: number): string[] {
  const chosen = 1 + (n % (2 ** KEYS.length - 1));
  return KEYS.filter((_, at) => (chosen >> at) & 1);
}
