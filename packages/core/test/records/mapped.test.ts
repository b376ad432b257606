import { describe, expect, test } from '@jest/globals';
import { topicPolicy } from '../policies.js';
import type { RecordMap, SourceRecord, TopicPolicy } from '../../src/index.js';
import { formats } from '../../src/records/formats/formats.js';
import { decode, decodeLast, frame, items, NOW_MS, record, verdict } from './decode-kit.js';

function json(map: RecordMap, changes: Partial<TopicPolicy> = {}): TopicPolicy {
  return topicPolicy('payments', { format: 'json', map: { payload: ['value:'], ...map }, ...changes });
}

function decoded(map: RecordMap, value: unknown, changes: Partial<SourceRecord> = {}): ReturnType<typeof decode> {
  return decode(json(map), record(value, changes));
}

const toAccount: RecordMap = { user: ['value:/account/id', 'key'] };

describe('where a map finds the user', () => {
  test.each<[string, RecordMap, unknown, Partial<SourceRecord>, string]>([
    ['a text in the value', toAccount, { account: { id: 'u1' } }, {}, 'u1'],
    [
      'a number in the value, as it was written',
      toAccount,
      '{"account":{"id":12345678901234567890}}',
      {},
      '12345678901234567890',
    ],
    ['a number with an exponent, as it was written', toAccount, '{"account":{"id":1e3}}', {}, '1e3'],
    ['the next selector when the first finds nothing', toAccount, { account: {} }, { key: Buffer.from('k1') }, 'k1'],
    [
      'the next selector when the first finds null',
      toAccount,
      { account: { id: null } },
      { key: Buffer.from('k1') },
      'k1',
    ],
    ['the last of several members of one name', toAccount, '{"account":{"id":"a"},"account":{"id":"b"}}', {}, 'b'],
    [
      'nothing of a member that a later one of its name replaces',
      toAccount,
      '{"account":{"id":"a"},"account":1}',
      { key: Buffer.from('k1') },
      'k1',
    ],
    ['a name that is escaped in the value', toAccount, '{"acc\\u006funt":{"id":"u\\u0031"}}', {}, 'u1'],
    ['a name with / and ~', { user: ['value:/a~1b/c~0d'] }, { 'a/b': { 'c~d': 'u1' } }, {}, 'u1'],
    ['an element of a list', { user: ['value:/ids/1'] }, { ids: ['u0', 'u1'] }, {}, 'u1'],
    ['the whole value', { user: ['value:'] }, '"u1"', {}, 'u1'],
    ['a header', { user: ['header:user'] }, {}, { headers: { user: Buffer.from('u1') } }, 'u1'],
    ['a part of the key', { user: ['key:/user'] }, {}, { key: Buffer.from('{"user":17}') }, '17'],
    ['a text of the configuration', { user: ['=u1'] }, {}, {}, 'u1'],
    ['the name of the topic', { user: ['topic'] }, {}, {}, 'payments'],
    [
      'a member behind deep nesting',
      toAccount,
      `{"x":${'['.repeat(4000)}${']'.repeat(4000)},"account":{"id":"u1"}}`,
      {},
      'u1',
    ],
    ['a member in a value with line breaks', toAccount, '\n{\n "account" : {\n "id" : "u1" } }\n', {}, 'u1'],
  ])('%s', (...[, map, value, changes, user]) => {
    expect(items(decoded(map, value, changes))).toMatchObject([{ kind: 'user', user }]);
  });

  test.each<[string, RecordMap, unknown, string, string]>([
    ['nothing', toAccount, {}, 'no_audience', 'value:/account/id, key'],
    ['true', toAccount, { account: { id: true } }, 'bad_member', 'value:/account/id'],
    ['an object', toAccount, { account: { id: {} } }, 'bad_member', 'value:/account/id'],
    ['a text that is no user id', toAccount, { account: { id: 'a\u0001' } }, 'bad_member', 'value:/account/id'],
    ['an object for a room', { room: ['value:/room'] }, { room: {} }, 'bad_audience', 'value:/room'],
    ['a text that is no name for a room', { room: ['value:/room'] }, { room: 'a b' }, 'bad_audience', 'value:/room'],
    ['a list for a hub', { hub: ['value:/hub'] }, { hub: [] }, 'bad_audience', 'value:/hub'],
    ['what is no audience', { audience: ['value:/to'] }, { to: 'everyone' }, 'bad_audience', 'value:/to'],
    ['no list of users', { users: ['value:/users'] }, { users: 'u1,u2' }, 'bad_member', 'value:/users'],
    ['an empty list of users', { users: ['value:/users'] }, { users: [] }, 'no_audience', 'value:/users'],
    [
      'a list of users with null in it',
      { users: ['value:/users'] },
      { users: ['u1', null] },
      'bad_member',
      'value:/users',
    ],
  ])('is a dead letter that names the selector: %s', (...[, map, value, error, selector]) => {
    const letter = decoded(map, value);
    expect(letter).toMatchObject({ kind: 'dead_letter', error });
    expect(letter).toMatchObject({ message: expect.stringContaining(selector) });
  });
});

describe('other audiences of a map', () => {
  test('users: texts and numbers of a list, each once', () => {
    const made = items(decoded({ users: ['value:/to'] }, '{"to":["u1",17,"u1",0.10]}'));
    expect(made.map((item) => 'user' in item && item.user)).toEqual(['u1', '17', '0.10']);
  });

  test('users of a header are separated by commas', () => {
    const made = items(decoded({ users: ['header:to'] }, {}, { headers: { to: 'u1,u2' } }));
    expect(made.map((item) => 'user' in item && item.user)).toEqual(['u1', 'u2']);
  });

  test.each<[string, RecordMap, object]>([
    ['room', { room: ['value:/to'] }, { kind: 'channel', stream: 'room/lobby' }],
    ['a key', { keyed: ['value:/to'] }, { kind: 'channel', stream: 'payments/k/lobby' }],
    ['hub', { hub: ['value:/to'] }, { kind: 'channel', stream: 'hub/lobby' }],
    ['the words topic', { audience: ['topic'] }, { kind: 'channel', stream: 'payments/*' }],
    ['the word all', { audience: ['all'] }, { kind: 'all' }],
  ])('%s', (_, map, item) => {
    expect(items(decoded(map, { to: 'lobby' }))).toMatchObject([item]);
  });

  test('an audience that the value names speaks the language of ws-audience', () => {
    expect(items(decoded({ audience: ['value:/to'] }, { to: 'room:lobby' }))).toMatchObject([{ stream: 'room/lobby' }]);
  });

  test('the headers ws-audience, ws-id, ws-type win over the map', () => {
    const headers = { 'ws-audience': 'room:lobby', 'ws-id': 'h1', 'ws-type': 'ht' };
    const map = { ...toAccount, id: ['value:/id'], type: ['value:/type'] };
    const made = decoded(map, { account: { id: 'u1' }, id: 'v1', type: 'vt' }, { headers });
    expect(items(made)).toMatchObject([{ stream: 'room/lobby' }]);
    expect(frame(made)).toMatchObject({ id: 'h1', type: 'ht', user_id: 'u1' });
  });
});

describe('what a map says besides', () => {
  const map: RecordMap = {
    user: ['key'],
    id: ['header:event-id'],
    type: ['value:/kind'],
    timestamp: ['value:/at'],
    payload: ['value:/data'],
  };
  const key = Buffer.from('u1');

  test('id, type and timestamp come from where it says, the payload is a part of the value', () => {
    const value =
      '{"kind":"paid","at":"2026-05-01T10:00:00.123456+02:00","data":{"n":1.50, "big":12345678901234567890}}';
    const made = decoded(map, value, { key, headers: { 'event-id': 'e-1' } });
    expect(frame(made)).toMatchObject({
      id: 'e-1',
      type: 'paid',
      timestamp: '2026-05-01T10:00:00.123456+02:00',
      user_id: 'u1',
    });
    expect(items(made)[0]!.head).toContain('"payload":{"n":1.50, "big":12345678901234567890}');
  });

  test('what id, type and timestamp do not find takes the default', () => {
    expect(frame(decoded(map, { data: 1 }, { key }))).toMatchObject({
      id: 'payments:3:42',
      type: 'payments',
      timestamp: new Date(NOW_MS - 1000).toISOString(),
    });
  });

  test('a number is a time in milliseconds', () => {
    expect(frame(decoded(map, { at: 1_780_000_000_000, data: 1 }, { key }))).toMatchObject({
      timestamp: new Date(1_780_000_000_000).toISOString(),
    });
  });

  test.each([
    ['an object as id', { id: ['value:/data'] }, 'bad_member'],
    ['a text that is no time', { timestamp: ['=yesterday'] }, 'bad_timestamp'],
    ['a time beyond the calendar', { timestamp: ['=99999999999999999'] }, 'bad_timestamp'],
    ['true as time', { timestamp: ['value:/flag'] }, 'bad_timestamp'],
    ['a part that is not there as payload', { payload: ['value:/nothing'] }, 'no_pointer'],
    ['a text as age', { ttlMs: ['=soon'] }, 'bad_member'],
  ])('%s is a dead letter', (_, changes: RecordMap, error) => {
    expect(verdict(decoded({ ...map, ...changes }, { data: {}, flag: true }, { key }))).toBe(error);
  });

  test('a payload is whatever JSON there is, null and the text of a header, too', () => {
    const payloadOf = (selectors: string[], value: unknown): unknown =>
      frame(decoded({ user: ['=u1'], payload: selectors }, value, { headers: { note: 'a "quote"' } }))['payload'];
    expect(payloadOf(['value:/x'], { x: null })).toBeNull();
    expect(payloadOf(['value:/x', 'value:/y'], { x: null, y: [1] })).toEqual([1]);
    expect(payloadOf(['header:note'], {})).toBe('a "quote"');
    expect(payloadOf(['value:'], '17')).toBe(17);
  });

  test('ttlMs of the record limits its age, and the header wins over it', () => {
    const aged = (value: unknown, headers = {}): string =>
      verdict(decoded({ user: ['=u1'], ttlMs: ['value:/ttl'] }, value, { headers }));
    expect(aged({ ttl: 500 })).toBe('expired');
    expect(aged({ ttl: 2000 })).toBe('items');
    expect(aged({ ttl: 500 }, { 'ws-ttl-ms': '0' })).toBe('items');
    const life = (value: unknown, headers = {}): number | undefined => {
      const made = decoded({ user: ['=u1'], ttlMs: ['value:/ttl'] }, value, { headers });
      const { endsAtMs = 0, recordTimeMs } = items(made)[0]!;
      return endsAtMs === 0 ? undefined : endsAtMs - recordTimeMs;
    };
    expect([life({ ttl: 2000 }), life({}), life({ ttl: 2000 }, { 'ws-ttl-ms': '3000' })]).toEqual([
      2000,
      undefined,
      3000,
    ]);
  });
});

describe('when', () => {
  const policy = json({ user: ['key'] }, { when: [{ field: 'value:/status', in: ['settled', 1, true] }] });
  const key = Buffer.from('u1');

  test.each([
    [{ status: 'settled' }, 'items'],
    [{ status: 1 }, 'items'],
    [{ status: true }, 'items'],
    [{ status: '1' }, 'skipped'],
    [{ status: null }, 'skipped'],
    [{ status: ['settled'] }, 'skipped'],
    [{}, 'skipped'],
  ])('%j with in is %s', (value, expected) => {
    expect(verdict(decode(policy, record(value, { key })))).toBe(expected);
  });

  test('what is not there is in nothing, so notIn holds', () => {
    const notIn = json({ user: ['key'] }, { when: [{ field: 'value:/status', notIn: ['draft'] }] });
    expect(verdict(decode(notIn, record({}, { key })))).toBe('items');
    expect(verdict(decode(notIn, record({ status: 'draft' }, { key })))).toBe('skipped');
  });

  test('all conditions must hold, null is not there, and an unmatched record needs no audience', () => {
    const both = json(
      { user: ['key'] },
      {
        when: [
          { field: 'value:/a', exists: true },
          { field: 'header:internal', exists: false },
        ],
      },
    );
    expect(verdict(decode(both, record({ a: 1 }, { key })))).toBe('items');
    expect(verdict(decode(both, record({ a: null })))).toBe('skipped');
    expect(verdict(decode(both, record({ a: 1 }, { headers: { internal: '1' } })))).toBe('skipped');
  });

  test('it works for an envelope, too', () => {
    const envelope = topicPolicy('notifications', { when: [{ field: 'value:/type', in: ['a'] }] });
    expect(verdict(decode(envelope, record({ user_id: 'u1', type: 'a', payload: 1 })))).toBe('items');
    expect(verdict(decode(envelope, record({ user_id: 'u1', type: 'b', payload: 1 })))).toBe('skipped');
  });
});

describe('a record without a value', () => {
  const latest = { mode: 'latest', size: 1, ttlMs: 1000 } as const;
  const key = Buffer.from('u1');

  test.each([
    ['dead-letter', 'empty'],
    ['skip', 'skipped'],
    ['delete', 'items'],
  ] as const)('with tombstone: %s is %s', (tombstone, expected) => {
    expect(verdict(decode(json({ user: ['key'] }, { tombstone }), record(null, { key })))).toBe(expected);
  });

  test('deletes the newest value of the stream that its key names', () => {
    const policy = json(toAccount, { tombstone: 'delete', retention: latest });
    const made = decode(policy, record(null, { key }));
    expect(items(made)).toMatchObject([{ kind: 'user', user: 'u1', retention: latest }]);
    expect(frame(made)).toMatchObject({ status: 'delete', payload: null, topic: 'payments', user_id: 'u1' });
  });

  test('deletes nothing when neither key nor header say whose it is', () => {
    const policy = json({ user: ['value:/id'] }, { tombstone: 'delete', retention: latest });
    expect(verdict(decode(policy, record(null, { key })))).toBe('no_audience');
  });

  test('is asked the conditions that need no value', () => {
    const when = [
      { field: 'value:/status', in: ['settled'] },
      { field: 'header:origin', notIn: ['test'] },
    ];
    const policy = json({ user: ['key'] }, { tombstone: 'delete', retention: latest, when });
    expect(verdict(decode(policy, record(null, { key })))).toBe('items');
    expect(verdict(decode(policy, record(null, { key, headers: { origin: 'test' } })))).toBe('skipped');
  });

  test('says nothing of the record before it: a CloudEvent is deleted by its headers', () => {
    const policy = topicPolicy('events', {
      format: 'cloudevents',
      map: { ...formats.cloudevents.map! },
      tombstone: 'delete',
      retention: latest,
    });
    const structured = record({ specversion: '1.0', id: 'e1', type: 't', subject: 'u2', data: 1 });
    const tombstone = record(null, { headers: { ce_subject: 'u1', ce_id: 'e2' } });
    expect(frame(decodeLast(policy, [structured, tombstone]))).toMatchObject({ status: 'delete', user_id: 'u1' });
  });

  test('says nothing of the record before it: the op of a change is not its type', () => {
    const map = { ...formats.debezium.map!, user: ['key'] };
    const policy = topicPolicy('rows', { format: 'debezium', map, tombstone: 'delete', retention: latest });
    const created = record({ op: 'c', after: { id: 'u2' } }, { key: Buffer.from('u2') });
    const alone = frame(decodeLast(policy, [record(null, { key })]));
    const behind = frame(decodeLast(policy, [created, record(null, { key })]));
    expect({ ...behind, id: '' }).toEqual({ ...alone, id: '' });
  });

  test('deletes in an envelope by its key', () => {
    const policy = topicPolicy('balance-updates', { tombstone: 'delete', retention: latest });
    expect(frame(decode(policy, record(null, { key })))).toMatchObject({ status: 'delete', user_id: 'u1' });
  });

  test('lifts the block of its key on a topic of blocks', () => {
    const policy = topicPolicy('user-blocks', { blocks: true, retention: null });
    const made = decode(policy, record(null, { key }));
    expect(items(made)).toMatchObject([{ kind: 'block', user: 'u1', block: null }]);
    expect(frame(made)).toMatchObject({ status: 'update', payload: { blocked: false } });
    expect(verdict(decode(policy, record(null)))).toBe('no_audience');
  });

  test('an empty value that is not null is no tombstone', () => {
    expect(verdict(decode(json({ user: ['key'] }, { tombstone: 'skip' }), record('', { key })))).toBe('empty');
  });
});

describe('what is not JSON', () => {
  test.each([
    ['cut off', '{"a":', 'not_json', ''],
    ['a byte order mark', '\ufeff{}', 'not_json', 'byte order mark'],
    ['byte 0', Buffer.from([0, 0, 0, 0, 7, 1]), 'not_json', 'schema registry'],
    ['not UTF-8', Buffer.from([0x22, 0xff, 0x22]), 'not_json', 'UTF-8'],
  ])('%s is a dead letter that says so', (_, value, error, hint) => {
    const letter = decoded(toAccount, value);
    expect(letter).toMatchObject({ kind: 'dead_letter', error });
    expect(letter).toMatchObject({ message: expect.stringContaining(hint) });
    // oxlint-disable-next-line no-control-regex -- these very characters are meant
    expect((letter as { message: string }).message).not.toMatch(/[\u0000-\u001f]/);
  });

  test('an envelope says it, too', () => {
    const letter = decode(topicPolicy('notifications'), record(Buffer.from([0, 0, 0, 0, 7, 1])));
    expect(letter).toMatchObject({ message: expect.stringContaining('begins with byte 0') });
  });
});

describe('format text', () => {
  const policy = topicPolicy('lines', { format: 'text', map: { user: ['key'], payload: ['value:'] } });
  const key = Buffer.from('u1');

  test.each(['hello', '', '{"a":1}', '17', 'a "quote"\n\u0000'])('%j becomes a JSON text', (value) => {
    expect(frame(decode(policy, record(value, { key })))['payload']).toBe(value);
  });

  test('bytes that are no text are a dead letter', () => {
    expect(verdict(decode(policy, record(Buffer.from([0xc3, 0x28]), { key })))).toBe('not_text');
  });
});

test('an empty user_id, room or hub in an envelope is not there', () => {
  const policy = topicPolicy('notifications');
  expect(items(decode(policy, record({ user_id: '', room: 'a', hub: '', payload: 1 })))).toMatchObject([
    { stream: 'room/a' },
  ]);
  expect(items(decode(policy, record({ user_id: 'u1', room: '', hub: '', payload: 1 })))).toMatchObject([
    { user: 'u1' },
  ]);
  expect(verdict(decode(policy, record({ user_id: '', room: '', payload: 1 })))).toBe('no_audience');
});
