import type { CommandEntries } from '../src/index.js';

/** Commands of a product, as its configuration has them: the table must be able to say all of it. */
export const scheduleCommands: CommandEntries = {
  getSchedules: {
    endpoints: ['/mobile'],
    backend: 'scheduleMobile',
    options: {
      'where.from': 'scalar',
      'where.to': 'scalar',
      'where.timezone': 'text',
      'where.gameIds': 'scalars',
      'where.substage.tiers': 'scalars',
      'where.tournament.ids': 'scalars',
    },
    required: ['where.from', 'where.to', 'where.timezone'],
    query: {
      from: 'where.from',
      to: 'where.to',
      tz: 'where.timezone',
      game_id: 'where.gameIds',
      'substage.tier': 'where.substage.tiers',
      'tournament.id': 'where.tournament.ids',
    },
    subscribe: 'schedule',
  },
  getTournament: {
    endpoints: ['/mobile'],
    backend: 'tournamentMobile',
    path: '/{where.id}',
    options: { 'where.id': 'scalar' },
    required: ['where.id'],
  },
};
