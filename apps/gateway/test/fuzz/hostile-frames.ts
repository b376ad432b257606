import fc from 'fast-check';

/**
 * Frames as text, not as values: members of one name twice, 1e999, lone surrogates and white space in odd places would
 * not survive JSON.stringify.
 */

const hostileKeys = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'then', 'toJSON', ''];
const knownKeys = [
  'rid',
  'command',
  'options',
  'action',
  'room',
  'where',
  'types',
  'params',
  'topics',
  'to',
  'payload',
];
const hostileScalars = [
  '1e999',
  '-1e999',
  '-0',
  '1.0',
  '0.1e-400',
  '9007199254740993',
  '12345678901234567890',
  '"__proto__"',
  '"constructor"',
  '"toString"',
  '".."',
  '"%2e%2e"',
  '"../../admin"',
  '"a/b?c=d#e"',
  '"\\u0000\\r\\nx: y"',
  '"\\ud800"',
  '"\ufeff"',
  'null',
  'true',
  'false',
  '""',
  '[]',
  '{}',
];

const quoted = fc.string({ unit: 'binary', maxLength: 20 }).map((text) => JSON.stringify(text));
const long = fc.integer({ min: 1000, max: 30_000 }).map((length) => `"${'k'.repeat(length)}"`);
/** One letter written as an escape: the same key to whoever reads it properly. */
const escaped = fc
  .constantFrom(...hostileKeys.slice(0, 5), ...knownKeys)
  .map((name) => `"\\u${name.charCodeAt(0).toString(16).padStart(4, '0')}${name.slice(1)}"`);
const key = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...hostileKeys, ...knownKeys).map((name) => JSON.stringify(name)) },
  { weight: 2, arbitrary: escaped },
  { weight: 2, arbitrary: quoted },
  { weight: 1, arbitrary: long },
);
const scalar = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...hostileScalars) },
  { weight: 2, arbitrary: fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)) },
  { weight: 2, arbitrary: quoted },
  { weight: 1, arbitrary: long },
);
const deep = fc
  .tuple(fc.constantFrom(['[', ']'], ['{"a":', '}'], ['{"__proto__":', '}']), fc.integer({ min: 5, max: 5000 }))
  .map(([[open, close], depth]) => `${open!.repeat(depth)}0${close!.repeat(depth)}`);

const { value } = fc.letrec<{ value: string; object: string; list: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    { weight: 6, arbitrary: scalar },
    { weight: 1, arbitrary: deep },
    { weight: 3, arbitrary: tie('object') },
    { weight: 2, arbitrary: tie('list') },
  ),
  object: fc.array(fc.tuple(key, tie('value')), { maxLength: 5 }).map(objectText),
  list: fc.array(tie('value'), { maxLength: 5 }).map((items) => `[${items.join(',')}]`),
}));

/** What each command may carry; any part of it may be something else. */
const options: Readonly<Record<string, Shape>> = {
  ping: {},
  subscribe: { topics: '["notifications"]' },
  unsubscribe: { topics: '["notifications"]' },
  enter: { room: '"lobby"', epoch: '"e"', offset: '1' },
  leave: { room: '"lobby"' },
  authentication: { authToken: '"t"', update: 'false' },
  subscription: { ids: '["x"]', action: '"unsubscribe"' },
  getMyNotifications: { params: { limit: '1', skip: '0', sort: '"-at"' }, where: { types: '["a"]' } },
  getMyNotificationsCount: { where: { types: '["a"]' }, status: '"read"' },
  updateNotifications: { where: { notifications: '[1,"b"]' }, status: '"read"' },
  getSchedules: {
    where: {
      from: '1',
      to: '"2"',
      timezone: '"UTC"',
      gameIds: '[1]',
      substage: { tiers: '[1]' },
      tournament: { ids: '[1]' },
    },
  },
  getTournament: { where: { id: '"t1"' } },
  // Commands of a configuration, which has no schema for options.
  lookUp: { key: '"k"', filter: '["f"]' },
  change: { key: '"k"', change: { to: '1' } },
  send: { to: { user: '"bob"' }, payload: '1' },
  ack: { stream: '"notifications/u/ann"', offset: '0' },
  presence: { user: '"ann"' },
  history: { topic: '"notifications"', after: { epoch: '"e"', offset: '1' }, limit: '5' },
};

interface Shape {
  readonly [name: string]: string | Shape;
}

/** Odds against a change of each part: most requests should get as far as a back end. */
const EDITS = 20;
const usual = (text: string, other: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.oneof({ weight: EDITS, arbitrary: fc.constant(text) }, { weight: 1, arbitrary: other });

function shaped(shape: Shape): fc.Arbitrary<string> {
  const members = Object.entries(shape).map(([name, part]) =>
    fc.tuple(
      usual(JSON.stringify(name), key),
      typeof part === 'string' ? usual(part, value) : fc.oneof({ weight: EDITS, arbitrary: shaped(part) }, value),
    ),
  );
  return withExtras(members);
}

/** Puts other members beside those given, also of the same names, in any order. */
function withExtras(members: fc.Arbitrary<[string, string]>[]): fc.Arbitrary<string> {
  const extras = fc.array(fc.tuple(key, value), { maxLength: 1 });
  return fc
    .tuple(fc.tuple(...members), extras, fc.boolean())
    .map(([own, others, before]) => objectText(before ? [...others, ...own] : [...own, ...others]));
}

const rid = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 1, max: 2 ** 31 }).map(String) },
  { weight: 1, arbitrary: fc.constantFrom('1e3', '2.0', '9007199254740991', '9007199254740992', '0', '-1', '1.5') },
  { weight: 1, arbitrary: value },
);

const request = fc
  .constantFrom(...Object.keys(options))
  .chain((command) =>
    withExtras([
      fc.tuple(usual('"rid"', key), rid),
      fc.tuple(usual('"command"', key), usual(JSON.stringify(command), fc.oneof(key, value))),
      fc.tuple(usual('"options"', key), shaped(options[command]!)),
    ]),
  );

const bare = fc
  .constantFrom('"enter"', '"leave"')
  .chain((action) =>
    withExtras([
      fc.tuple(fc.constant('"action"'), fc.constant(action)),
      fc.tuple(usual('"room"', key), usual('"lobby"', value)),
    ]),
  );

function cut(text: string, at: number): string {
  return text.slice(0, at % (text.length + 1));
}

/** Anything that a socket may be sent as text: well-formed, and below the size limit. */
export const hostileFrame: fc.Arbitrary<string> = fc
  .oneof(
    { weight: 10, arbitrary: request },
    { weight: 1, arbitrary: bare },
    { weight: 1, arbitrary: value },
    { weight: 1, arbitrary: fc.tuple(request, fc.nat()).map(([text, at]) => cut(text, at)) },
    { weight: 1, arbitrary: fc.string({ unit: 'binary' }) },
  )
  .map((text) => text.toWellFormed())
  .filter(fits);

function fits(text: string): boolean {
  return text.length < 20_000 || Buffer.byteLength(text) < 60_000;
}

function objectText(members: readonly (readonly [string, string])[]): string {
  return `{${members.map(([name, text]) => `${name}:${text}`).join(',')}}`;
}

/** Frames that are surely useless, whatever state the connection is in. */
export const badFrame: fc.Arbitrary<string> = fc
  .oneof(
    fc.tuple(request, fc.nat()).map(([text, at]) => text.slice(0, at % text.length)),
    fc.constantFrom('[]', '0', 'null', '"ping"', '{"command":"ping"}', '{"rid":1}', '{"rid":1,"command":"toString"}'),
    fc.tuple(rid, key).map(([id, command]) => `{"rid":${id},"command":${command}}`),
    fc
      .constantFrom('subscribe', 'enter', 'getMyNotifications', 'updateNotifications', 'getSchedules', 'lookUp')
      .map((command) => `{"rid":1,"command":"${command}","options":{"__proto__":{}}}`),
  )
  .map((text) => text.toWellFormed())
  .filter(fits);

export const fuzzSeed: { seed?: number } =
  process.env['FUZZ_SEED'] === undefined ? {} : { seed: Number(process.env['FUZZ_SEED']) };
