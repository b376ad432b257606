import { builtInPaths } from '@ws-gateway/core';
import type { CommandEntries } from './command-entry.js';

/**
 * The commands that are there without being written in a configuration. Data only, and exported by itself: the
 * configuration shows them as its defaults, and must not load an HTTP client for that.
 */
export const defaultCommands = {
  authentication: {
    endpoints: builtInPaths.filter(({ guests }) => guests).map(({ path }) => path),
    backend: 'user',
    onlyWithBackend: true,
    options: { authToken: 'credentials', update: 'boolean' },
    required: ['authToken'],
    authorization: 'authToken',
    user: ['id', 'userId', 'user_id', 'sub'],
  },
  getMyNotifications: {
    backend: 'notification',
    options: {
      'params.limit': 'count',
      'params.skip': 'count',
      'params.sort': 'scalar',
      'where.types': 'texts',
    },
    required: ['where.types'],
    query: { limit: 'params.limit', skip: 'params.skip', sort: 'params.sort', type: 'where.types' },
    subscribe: 'notification',
    subscribeBy: { userId: '$user', types: 'where.types' },
  },
  getMyNotificationsCount: {
    backend: 'notification',
    options: { 'where.types': 'texts', status: 'unseen|unread|read' },
    required: ['where.types', 'status'],
    query: { type: 'where.types', status: 'status' },
    answer: { total: 'total' },
  },
  updateNotifications: {
    backend: 'notification',
    method: 'PUT',
    options: { 'where.notifications': 'scalars', status: 'text' },
    required: ['where.notifications', 'status'],
    body: { ids: 'where.notifications', status: 'status' },
  },
} as const satisfies CommandEntries;

export { isOptionType, optionTypes } from './option-type.js';
