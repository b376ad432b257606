import {
  alsoReads,
  choice,
  duration,
  name,
  optionalName,
  paths,
  size,
  text,
  texts,
  url,
  whole,
} from '../language/formats.js';
import { durationKey, flagKey, section, key, list, map, sizeKey } from '../language/schema-node.js';

const httpBackend = section('', {
  url: key(url('http', 'https'), '', 'Base address. Empty: not configured, its commands answer an error.'),
  timeout: durationKey('10s', 'How long an answer may take.', duration(1, 3_600_000)),
});

const wsBackend = section('', {
  name: key(name, '', 'Name, for logs and metrics.'),
  url: key(url('ws', 'wss'), '', 'Address of the backend.'),
  path: key(text, '', 'Path of the endpoint for clients. Empty: `/<name>`.'),
  closeOnBackendLoss: flagKey(false, 'Close the clients with 1012 while the backend is away.'),
  sessionPolicy: key(
    alsoReads(choice('reject', 'replace'), { refuse: 'reject' }),
    'reject',
    'A second connection of a user: refuse it with 409, or close the first with 4501.',
  ),
  queueBytes: sizeKey('16mb', 'What may wait for the backend; over it clients are closed with 1013.', size(1024)),
  queueEvents: key(whole(1), 100_000, 'The same as a number of opens, messages and closes.'),
});

/** Option paths such as `where.types` say where in the request's `options` a value is taken from. */
const command = section('', {
  endpoints: key(paths, ['/ws', '/web', '/mobile'], 'Where clients may use it.'),
  backend: key(optionalName, '', 'The entry of `backends.http` that is called.'),
  method: key(choice('GET', 'POST', 'PUT', 'PATCH', 'DELETE'), 'GET', 'HTTP method.'),
  path: key(text, '', 'Added to the URL of the backend; `{where.id}` is replaced by that option.'),
  required: key(texts, [], 'Option paths without which the request is refused.'),
  query: map('Query parameters: name and option path.', key(text, '', 'Option path.'), { entryName: name }),
  body: map('Members of the JSON body: name and option path.', key(text, '', 'Option path.'), { entryName: name }),
  subscribe: key(optionalName, '', 'Resource the connection is subscribed to by a good answer. Empty: none.'),
});

const notificationQuery = { limit: 'params.limit', skip: 'params.skip', sort: 'params.sort', type: 'where.types' };

/** The commands that are there without being configured. They are data here as they would be in a file. */
const commandPresets = {
  getMyNotifications: { backend: 'notification', query: notificationQuery, subscribe: 'notification' },
  getMyNotificationsCount: {
    backend: 'notification',
    query: { type: 'where.types', status: 'status' },
  },
  updateNotifications: {
    backend: 'notification',
    method: 'PUT',
    required: ['where.notifications', 'status'],
    body: { ids: 'where.notifications', status: 'status' },
  },
  getSchedules: {
    endpoints: ['/mobile'],
    backend: 'scheduleMobile',
    required: ['where'],
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
    required: ['where.id'],
  },
};

export const backendKeys = {
  backends: section('Services behind the gateway.', {
    requestPoolSize: key(whole(1, 100_000), 1000, 'HTTP calls in flight, per process.'),
    requestQueueSize: key(whole(0, 10_000_000), 10_000, 'Calls that may wait for a place. More are answered `busy`.'),
    http: map('Backends that commands call, by name.', httpBackend, {
      entryName: name,
      presets: { user: {}, notification: {}, scheduleMobile: {}, tournamentMobile: {} },
      presetsExist: true,
    }),
    ws: list('Backends that endpoints are piped to.', wsBackend, []),
  }),
  commands: map('Commands that backends answer, by name. An entry changes or adds to what is there.', command, {
    entryName: name,
    presets: commandPresets,
    presetsExist: true,
  }),
};
