import { builtInPathNames } from '@ws-gateway/core';
import { defaultCommands, optionTypes } from '@ws-gateway/http-backends/default-commands';
import {
  alsoReads,
  choice,
  duration,
  name,
  optionalName,
  optionType,
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
  queueBytes: sizeKey(
    '16mb',
    'What may wait for the backend, an eighth of it of one client; over it whoever has most is closed with 1013.',
    size(1024),
  ),
  queueEvents: key(whole(1), 100_000, 'The same as a number of opens, messages and closes.'),
});

const SOURCE = 'Option path, or `$user` for the user of the connection.';

/** Option paths such as `where.types` say where in the request's `options` a value is taken from. */
const command = section('', {
  endpoints: key(paths, builtInPathNames, 'Where clients may use it.'),
  backend: key(optionalName, '', 'The entry of `backends.http` that is called.'),
  onlyWithBackend: flagKey(
    false,
    'While the backend has no `url` the command is unknown (or the gateway’s own), instead of unavailable.',
  ),
  method: key(choice('GET', 'POST', 'PUT', 'PATCH', 'DELETE'), 'GET', 'HTTP method.'),
  path: key(text, '', 'Added to the URL of the backend; `{where.id}` is replaced by that option.'),
  options: map(
    `What options must be: option path and type. Types: ${optionTypes.join(', ')}, or the texts that are allowed with a bar between them. Others may be anything.`,
    key(optionType, 'text', 'Type.'),
    { entryName: name },
  ),
  required: key(texts, [], 'Option paths without which the request is refused.'),
  query: map('Query parameters: name and source.', key(text, '', SOURCE), { entryName: name }),
  body: map('Members of the JSON body: name and source.', key(text, '', SOURCE), { entryName: name }),
  authorization: key(
    text,
    '',
    'Option path of what is sent as `Authorization`. Empty: what the client gave at its handshake.',
  ),
  answer: map(
    'Members of the payload: name and path in the answer of the backend. Empty: the whole answer.',
    key(text, '', 'Path in the answer.'),
    { entryName: name },
  ),
  user: key(texts, [], 'For `authentication`: paths in the answer, the first one there names the user.'),
  subscribe: key(optionalName, '', 'Resource the connection is subscribed to by a good answer. Empty: none.'),
  subscribeBy: map(
    'What the subscription id is made of, in this order: member and source. Empty: the option `where` as the client wrote it.',
    key(text, '', SOURCE),
    { entryName: name },
  ),
});

export const backendKeys = {
  backends: section('Services behind the gateway.', {
    requestPoolSize: key(
      whole(1, 100_000),
      1000,
      'HTTP calls in flight, per process. Half of the places are reserved, the same number for each backend that has a URL; the other half is for all of them. One user has an eighth of the places at most (2 at least).',
    ),
    requestQueueSize: key(
      whole(0, 10_000_000),
      10_000,
      'Calls that may wait for a place, an eighth of them of one user. More are answered `busy`.',
    ),
    http: map('Backends that commands call, by name.', httpBackend, {
      entryName: name,
      presets: { user: {}, notification: {} },
      presetsExist: true,
    }),
    ws: list('Backends that endpoints are piped to.', wsBackend, []),
  }),
  commands: map('Commands that backends answer, by name. An entry changes or adds to what is there.', command, {
    entryName: name,
    presets: defaultCommands,
    presetsExist: true,
  }),
};
