import {
  defaultTopicPolicy,
  publicStream,
  roomStream,
  unretainedPolicy,
  userStream,
  type Retention,
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

export const retention: Retention = { mode: 'ordered', size: HISTORY, ttlMs: 600_000 };

const queueBytes = 1024 * 1024;

export const topics: readonly TopicPolicy[] = [
  { ...defaultTopicPolicy(TOPIC), type: 'notification', retention, queueBytes },
  { ...defaultTopicPolicy(BLOCKS), type: 'user_block', retention: null, queueBytes, blocks: true },
];
export const roomPolicy: StreamPolicy = { ...unretainedPolicy('room'), retention, queueBytes };

/** Streams with history that a connection of the user can be in. */
export function streamsOf(user: User) {
  return { own: userStream(TOPIC, user), public: publicStream(TOPIC), room: roomStream(ROOM) };
}
