import { describe, expect, test } from '@jest/globals';
import { formats, type RecordMap, type SourceRecord, type TopicPolicy } from '../../src/index.js';
import { topicPolicy } from '../policies.js';
import { decode, frame, items, record, verdict } from './decode-kit.js';

function withMap(format: 'debezium' | 'cloudevents', map: RecordMap, changes: Partial<TopicPolicy> = {}): TopicPolicy {
  return topicPolicy('orders', { format, map: { ...formats[format].map, ...map }, ...changes });
}

describe('format debezium', () => {
  const policy = withMap('debezium', { user: ['row:/owner'] });
  const [before, after] = [
    { id: 1, owner: 'u1', total: 5 },
    { id: 1, owner: 'u2', total: 7 },
  ];
  const change = (op: string): object => ({
    op,
    before: op === 'c' || op === 'r' ? null : before,
    after: op === 'd' ? null : after,
    source: { table: 'orders' },
    ts_ms: 1_780_000_000_000,
  });

  describe.each([
    ['without a wrapper', (value: object): object => value],
    ['with schemas', (value: object): object => ({ schema: { type: 'struct', fields: [] }, payload: value })],
  ])('%s', (_, wrapped) => {
    test.each([
      ['c', 'created', 'u2', after],
      ['u', 'updated', 'u2', after],
      ['r', 'read', 'u2', after],
      ['d', 'deleted', 'u1', before],
    ])('op %s is of type %s, and its payload is the row', (op, type, user, payload) => {
      const made = decode(policy, record(wrapped(change(op))));
      expect(items(made)).toMatchObject([{ kind: 'user', user }]);
      expect(frame(made)).toMatchObject({ type, payload, timestamp: new Date(1_780_000_000_000).toISOString() });
    });

    test.each(['t', 'm'])('op %s is skipped', (op) => {
      expect(verdict(decode(policy, record(wrapped(change(op)))))).toBe('skipped');
    });

    test('value: means the change, and key: what the key holds', () => {
      const byTable = withMap('debezium', { user: ['key:/id'], type: ['value:/source/table'], payload: ['value:'] });
      const key = Buffer.from(JSON.stringify(wrapped({ id: 17 })));
      const made = decode(byTable, record(wrapped(change('u')), { key }));
      expect(items(made)).toMatchObject([{ user: '17' }]);
      expect(frame(made)).toMatchObject({ type: 'orders', payload: change('u') });
    });
  });

  test('a row keeps the digits of its numbers', () => {
    const made = decode(policy, record('{"op":"c","after":{"owner":"u1","n":12345678901234567890.10}}'));
    expect(items(made)[0]!.head).toContain('"payload":{"owner":"u1","n":12345678901234567890.10}');
  });

  test('when may look at the row and at the kind of change', () => {
    const when = [
      { field: 'op', in: ['deleted'] },
      { field: 'row:/total', in: [5] },
    ];
    const filtered = { ...policy, when };
    expect(verdict(decode(filtered, record(change('d'))))).toBe('items');
    expect(verdict(decode(filtered, record(change('u'))))).toBe('skipped');
  });

  test('what is no change is a dead letter', () => {
    expect(verdict(decode(policy, record({ id: 1 })))).toBe('bad_member');
    expect(verdict(decode(policy, record('[]')))).toBe('bad_member');
    expect(verdict(decode(policy, record('no')))).toBe('not_json');
  });
});

describe('format cloudevents', () => {
  const policy = withMap('cloudevents', {});
  const attributes = { ce_specversion: '1.0', ce_id: 'e-1', ce_type: 'paid', ce_source: '/pay', ce_subject: 'u1' };
  const binary = (value: unknown, headers: SourceRecord['headers'] = {}): ReturnType<typeof decode> =>
    decode(policy, record(value, { headers: { ...attributes, ce_time: '2026-05-01T10:00:00Z', ...headers } }));
  const event = {
    ...{ specversion: '1.0', id: 'e-1', type: 'paid', source: '/pay', subject: 'u1' },
    time: '2026-05-01T10:00:00Z',
  };
  const structured = (value: unknown): ReturnType<typeof decode> =>
    decode(policy, record(value, { headers: { 'content-type': 'application/cloudevents+json; charset=utf-8' } }));
  const expected = { id: 'e-1', type: 'paid', timestamp: '2026-05-01T10:00:00Z', user_id: 'u1' };

  test('binary mode: attributes are headers, the payload is the value', () => {
    expect(frame(binary({ n: 1 }, { 'content-type': 'application/json' }))).toMatchObject({
      ...expected,
      payload: { n: 1 },
    });
  });

  test('structured mode: attributes are members, the payload is data', () => {
    expect(frame(structured({ ...event, data: { n: 1 } }))).toMatchObject({ ...expected, payload: { n: 1 } });
    expect(frame(structured({ ...event, data_base64: 'AAE=' }))).toMatchObject({ ...expected, payload: 'AAE=' });
  });

  test('a structured event without a content type tells itself what it is', () => {
    expect(frame(decode(policy, record({ ...event, data: 1 })))).toMatchObject({ ...expected, payload: 1 });
  });

  test('the subject is taken from the attributes, never from the data', () => {
    const { ce_subject: _, ...others } = attributes;
    expect(verdict(decode(policy, record({ subject: 'u9', data: 1 }, { headers: others })))).toBe('no_audience');
  });

  test('binary data of another type is text, or base64 where it is no text', () => {
    expect(frame(binary('hi "you"', { 'content-type': 'text/plain' }))['payload']).toBe('hi "you"');
    const bytes = Buffer.from([0, 0xff]);
    expect(frame(binary(bytes, { 'content-type': 'application/octet-stream' }))['payload']).toBe('AP8=');
    expect(frame(binary('{"n":1}', { 'content-type': 'application/vnd.shop+json' }))['payload']).toEqual({ n: 1 });
  });

  test('data: is the data in both modes', () => {
    const byData = withMap('cloudevents', { user: ['data:/owner'] });
    const headers = { ...attributes };
    expect(items(decode(byData, record({ owner: 'u7' }, { headers })))).toMatchObject([{ user: 'u7' }]);
    expect(items(decode(byData, record({ ...event, data: { owner: 'u7' } })))).toMatchObject([{ user: 'u7' }]);
  });

  test('a time that is none, data that is no JSON, and no event at all are dead letters', () => {
    expect(verdict(binary({}, { ce_time: 'noon' }))).toBe('bad_timestamp');
    expect(verdict(binary('{', { 'content-type': 'application/json' }))).toBe('not_json');
    expect(verdict(structured([]))).toBe('not_object');
    expect(verdict(decode(policy, record({ a: 1 })))).toBe('bad_member');
    expect(verdict(structured(event))).toBe('no_pointer');
  });
});
