import { defaultTopicPolicy, type TopicPolicy } from '../src/index.js';

const TYPES: Readonly<Record<string, string>> = {
  'balance-updates': 'balance_update',
  'user-blocks': 'user_block',
  notifications: 'notification',
};

/** A topic with the defaults of the configuration, for tests. */
export function topicPolicy(name: string, changes: Partial<TopicPolicy> = {}): TopicPolicy {
  return { ...defaultTopicPolicy(name), type: TYPES[name] ?? name, ...changes };
}
