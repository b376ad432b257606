import { publicStream, roomStream, userStream, type Retention, type TopicPolicy } from '@ws-gateway/core';

/** Messages kept of each stream: few, so that a client falls behind them within some steps. */
export const HISTORY = 8;
export const USERS = ['ann', 'bob'] as const;
export type User = (typeof USERS)[number];

export const TOPIC = 'notifications';
export const BLOCKS = 'user-blocks';
export const ROOM = 'lobby';

export const retention: Retention = { mode: 'ordered', size: HISTORY, ttlMs: 600_000 };

const common = {
  format: 'envelope',
  slow: 'queue',
  queueBytes: 1024 * 1024,
  ttlMs: 0,
  ack: false,
  snapshot: false,
  guests: false,
  clientVisible: true,
  audienceFromKey: false,
} as const;

export const topics: readonly TopicPolicy[] = [
  { ...common, name: TOPIC, kafkaTopic: TOPIC, type: 'notification', retention, blocks: false },
  { ...common, name: BLOCKS, kafkaTopic: BLOCKS, type: 'user_block', retention: null, blocks: true },
];
export const roomPolicy = { ...common, name: 'rooms', type: 'room', retention };

/** Streams with history that a connection of the user can be in. */
export function streamsOf(user: User) {
  return { own: userStream(TOPIC, user), public: publicStream(TOPIC), room: roomStream(ROOM) };
}
