import type { CommandSpec } from './command-spec.js';

const EVERYWHERE = ['/ws', '/web', '/mobile'];

const text = { type: 'string', minLength: 1, maxLength: 256 };
const count = { type: 'integer', minimum: 0 };
/** Ids and times are text in some backends and numbers in others; the backend knows. */
const scalar = { type: ['string', 'number'], maxLength: 256 };
const list = (items: object) => ({ type: 'array', items, maxItems: 1000 });
const members = (required: readonly string[], properties: object) => ({ type: 'object', required, properties });

/** The commands that are there without being configured. */
export const defaultCommands: readonly CommandSpec[] = [
  {
    name: 'authentication',
    endpoints: ['/web', '/mobile'],
    backend: 'user',
    onlyWithBackend: true,
    authorization: 'authToken',
    user: ['id', 'userId', 'user_id', 'sub'],
    options: members(['authToken'], {
      authToken: { type: 'string', maxLength: 16_384, pattern: '^[\\x21-\\x7e]+( [\\x21-\\x7e]+)*$' },
      update: { type: 'boolean' },
    }),
  },
  {
    name: 'getMyNotifications',
    endpoints: EVERYWHERE,
    backend: 'notification',
    query: { limit: 'params.limit', skip: 'params.skip', sort: 'params.sort', type: 'where.types' },
    options: members(['where'], {
      params: members([], { limit: count, skip: count, sort: scalar }),
      where: members(['types'], { types: list(text) }),
    }),
    subscription: { resource: 'notification', where: { userId: '$user', types: 'where.types' } },
  },
  {
    name: 'getMyNotificationsCount',
    endpoints: EVERYWHERE,
    backend: 'notification',
    query: { type: 'where.types', status: 'status' },
    options: members(['where', 'status'], {
      where: members(['types'], { types: list(text) }),
      status: { enum: ['unseen', 'unread', 'read'] },
    }),
    answer: { total: 'total' },
  },
  {
    name: 'updateNotifications',
    endpoints: EVERYWHERE,
    backend: 'notification',
    method: 'PUT',
    body: { ids: 'where.notifications', status: 'status' },
    options: members(['where', 'status'], {
      where: members(['notifications'], { notifications: list(scalar) }),
      status: text,
    }),
  },
  {
    name: 'getSchedules',
    endpoints: ['/mobile'],
    backend: 'scheduleMobile',
    query: {
      from: 'where.from',
      to: 'where.to',
      tz: 'where.timezone',
      game_id: 'where.gameIds',
      'substage.tier': 'where.substage.tiers',
      'tournament.id': 'where.tournament.ids',
    },
    options: members(['where'], {
      where: members(['from', 'to', 'timezone'], {
        from: scalar,
        to: scalar,
        timezone: text,
        gameIds: list(scalar),
        substage: members([], { tiers: list(scalar) }),
        tournament: members([], { ids: list(scalar) }),
      }),
    }),
    subscription: { resource: 'schedule', where: 'where' },
  },
  {
    name: 'getTournament',
    endpoints: ['/mobile'],
    backend: 'tournamentMobile',
    path: '/{where.id}',
    options: members(['where'], { where: members(['id'], { id: { ...scalar, minLength: 1 } }) }),
  },
];
