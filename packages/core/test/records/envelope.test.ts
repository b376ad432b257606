import { describe, expect, it } from '@jest/globals';
import { decode, frame, items, NOW_MS, record, verdict } from './decode-kit.js';
import { topicPolicy } from '../policies.js';

const policy = topicPolicy('notifications', { kafkaTopic: 'k.notifications' });
const value = { user_id: 'u1', payload: { n: 1 } };

describe('a record that cannot be used', () => {
  it.each<[string, Buffer | string | null, string]>([
    ['no value', null, 'empty'],
    ['an empty value', '', 'empty'],
    ['text', 'hello', 'not_json'],
    ['white space', ' \n', 'not_json'],
    ['half an object', '{"payload":', 'not_json'],
    ['two objects', '{"payload":1}{"payload":1}', 'not_json'],
    ['a byte order mark', '\ufeff{"user_id":"u1","payload":1}', 'not_json'],
    ['invalid UTF-8', Buffer.from('7b2261223a22ff227d', 'hex'), 'not_json'],
    ['a surrogate in UTF-8', Buffer.from('7b2261223a22eda080227d', 'hex'), 'not_json'],
    ['NaN', '{"user_id":"u1","payload":NaN}', 'not_json'],
    ['a trailing comma', '{"user_id":"u1","payload":1,}', 'not_json'],
    ['an array', '[{"user_id":"u1","payload":1}]', 'not_object'],
    ['null', 'null', 'not_object'],
    ['a number', '1', 'not_object'],
    ['no payload', '{"user_id":"u1"}', 'no_payload'],
    ['a payload one level down', '{"user_id":"u1","data":{"payload":1}}', 'no_payload'],
    ['a number as id', '{"user_id":"u1","payload":1,"id":5}', 'bad_member'],
    ['an object as type', '{"user_id":"u1","payload":1,"type":{}}', 'bad_member'],
    ['a number as timestamp', '{"user_id":"u1","payload":1,"timestamp":1767225600000}', 'bad_member'],
    ['more bytes than allowed', `{"user_id":"u1","payload":"${'x'.repeat(10_000)}"}`, 'too_large'],
  ])('for %s says why', (_, bytes, error) => {
    const decoded = decode(policy, record(bytes));
    expect(verdict(decoded)).toBe(error);
    expect(decoded).toHaveProperty('message', expect.stringMatching(/./));
  });

  it('may be as large as the limit', () => {
    const text = JSON.stringify(value);
    expect(verdict(decode(policy, record(text), { maxRecordBytes: text.length }))).toBe('items');
    expect(verdict(decode(policy, record(text), { maxRecordBytes: text.length - 1 }))).toBe('too_large');
  });
});

describe('id, type and timestamp', () => {
  it('have defaults: where the record lies, the type of its topic, its time', () => {
    const defaults = { id: 'k.notifications:3:42', type: 'notification', timestamp: '2026-06-01T11:59:59.000Z' };
    expect(frame(decode(policy, record(value)))).toMatchObject({ ...defaults, topic: 'notifications' });
    const absent = { ...value, id: null, type: '', timestamp: null };
    expect(frame(decode(policy, record(absent)))).toMatchObject(defaults);
  });

  it('are the members when there are any', () => {
    const members = { id: 'n-"1"', type: 'promo', timestamp: '2026-01-01T00:00:00+02:00' };
    expect(frame(decode(policy, record({ ...value, ...members })))).toMatchObject(members);
    expect(decode(policy, record({ ...value, ...members }))).toMatchObject({ type: 'promo' });
  });

  it('are what headers say before anything else, also in place of bad members', () => {
    const headers = { 'ws-id': Buffer.from('h-1'), 'ws-type': ['first', 'last'] };
    const source = record({ ...value, id: 'm-1', type: 5 }, { headers });
    expect(frame(decode(policy, source))).toMatchObject({ id: 'h-1', type: 'last' });
    const empty = record({ ...value, id: 'm-1' }, { headers: { 'ws-id': '', 'ws-type': undefined } });
    expect(frame(decode(policy, empty))).toMatchObject({ id: 'm-1', type: 'notification' });
    expect(verdict(decode(policy, record(value, { headers: { 'ws-id': Buffer.from([0xff]) } })))).toBe('bad_member');
  });

  it('survive a record time that is no time', () => {
    for (const timestamp of [-1, Number.NaN, 9e18, Number.POSITIVE_INFINITY]) {
      const decoded = decode(policy, record(value, { timestamp }));
      expect(frame(decoded)).toMatchObject({ timestamp: '2026-06-01T12:00:00.000Z' });
      expect(items(decoded)[0]).toMatchObject({ recordTimeMs: NOW_MS });
    }
  });
});

describe('the age of a record', () => {
  const old = { timestamp: NOW_MS - 5001 };

  it('beyond the limit of its topic or of its own header makes it expired', () => {
    const limited = topicPolicy('notifications', { ttlMs: 5000 });
    expect(verdict(decode(limited, record(value, old)))).toBe('expired');
    expect(verdict(decode(limited, record(value, { timestamp: NOW_MS - 5000 })))).toBe('items');
    expect(verdict(decode(policy, record(value, old)))).toBe('items');
    expect(verdict(decode(policy, record(value, { ...old, headers: { 'ws-ttl-ms': '5000' } })))).toBe('expired');
    expect(verdict(decode(limited, record(value, { ...old, headers: { 'ws-ttl-ms': Buffer.from('6000') } })))).toBe(
      'items',
    );
    expect(verdict(decode(limited, record(value, { ...old, headers: { 'ws-ttl-ms': '0' } })))).toBe('items');
  });

  it('of its own makes an end of its life that history keeps; that of its topic is one for what arrives late', () => {
    const limited = topicPolicy('notifications', { ttlMs: 5000 });
    const endOf = (headers = {}) =>
      items(decode(limited, record(value, { timestamp: NOW_MS - 10, headers })))[0]!.endsAtMs;
    expect(endOf({ 'ws-ttl-ms': '3000' })).toBe(NOW_MS - 10 + 3000);
    expect(endOf({ 'ws-ttl-ms': '0' })).toBeUndefined();
    expect(endOf()).toBeUndefined();
  });

  it.each(['soon', '-1', '1.5', '', ' 5', '1e3', '9'.repeat(16)])('cannot be limited by ws-ttl-ms "%s"', (ttl) => {
    expect(verdict(decode(policy, record(value, { headers: { 'ws-ttl-ms': ttl } })))).toBe('bad_member');
  });
});

describe('a record on user-blocks', () => {
  const blocks = topicPolicy('user-blocks', { blocks: true, retention: null });
  const blockOf = (payload: unknown): unknown => {
    const decoded = decode(blocks, record({ user_id: 'u1', payload }));
    if (decoded.kind !== 'items') return verdict(decoded);
    expect(decoded.items).toMatchObject([{ kind: 'block', user: 'u1', topic: 'user-blocks' }]);
    return decoded.items[0]!.kind === 'block' ? decoded.items[0]!.block : undefined;
  };

  it('blocks and unblocks', () => {
    expect(blockOf({ blocked: true })).toEqual({ reason: '', expiresAtMs: null });
    expect(blockOf({ blocked: true, reason: null, expires_at: null })).toEqual({ reason: '', expiresAtMs: null });
    expect(blockOf({ blocked: true, reason: 'fraud', expires_at: '2026-06-01T12:00:01Z' })).toEqual({
      reason: 'fraud',
      expiresAtMs: NOW_MS + 1000,
    });
    expect(blockOf({ blocked: false })).toBeNull();
    expect(frame(decode(blocks, record({ user_id: 'u1', payload: { blocked: true } })))).toMatchObject({
      event: 'user-blocks',
      type: 'user_block',
      user_id: 'u1',
      payload: { blocked: true },
    });
  });

  it('names the step of a block that the admin API does, too', () => {
    const blocking = { user_id: 'u1', payload: { blocked: true } };
    const both = decode(blocks, record(blocking, { headers: { 'ws-applied': '1', 'ws-id': 'b-1' } }));
    expect(items(both)).toMatchObject([{ kind: 'block', step: 'b-1', block: { reason: '' } }]);
    expect(items(decode(blocks, record(blocking, { headers: { 'ws-id': 'b-1' } })))[0]).not.toHaveProperty('step');
  });

  // The limit is one on delivery. A router that was away for longer let everybody in whom such a record had blocked.
  it('blocks without its frame when it is older than its topic or header allows', () => {
    const blocking = { user_id: 'u1', payload: { blocked: true } };
    const old = { timestamp: NOW_MS - 10_000 };
    const late = [
      decode({ ...blocks, ttlMs: 5000 }, record(blocking, old)),
      decode(blocks, record(blocking, { ...old, headers: { 'ws-ttl-ms': '5000' } })),
    ];
    for (const decoded of late) {
      expect(items(decoded)).toMatchObject([{ kind: 'block', head: '', block: { reason: '' } }]);
    }
  });

  it('is no block when it has expired, but its frame is delivered', () => {
    expect(blockOf({ blocked: true, expires_at: '2026-06-01T12:00:00Z' })).toBeNull();
    expect(blockOf({ blocked: true, expires_at: '2026-06-01T13:30:00.5+02:00' })).toBeNull();
  });

  it.each([
    ['x'],
    [[true]],
    [{}],
    [{ blocked: 'true' }],
    [{ blocked: 1 }],
    [{ blocked: true, reason: 5 }],
    [{ blocked: true, expires_at: 1 }],
    [{ blocked: true, expires_at: 'tomorrow' }],
    [{ blocked: true, expires_at: '2026-06-01' }],
    [{ blocked: false, expires_at: '2026-06-31T00:00:00Z' }],
  ])('with payload %j blocks nobody', (payload) => {
    expect(blockOf(payload)).toBe('bad_member');
  });

  it('is about its user, whatever ws-audience says', () => {
    const payload = { blocked: true };
    const headers = { 'ws-audience': 'all' };
    expect(items(decode(blocks, record({ user_id: 'u1', payload }, { headers })))).toMatchObject([{ user: 'u1' }]);
    expect(items(decode(blocks, record({ user_id: 'u1', room: 'r', broadcast: true, payload })))).toMatchObject([
      { kind: 'block', user: 'u1' },
    ]);
    expect(items(decode(blocks, record({ users: ['a', 'b'], payload })))).toHaveLength(2);
    expect(verdict(decode(blocks, record({ payload }, { headers: { 'ws-audience': 'user:u1' } })))).toBe('no_audience');
    const byKey = topicPolicy('user-blocks', { blocks: true, audienceFromKey: true });
    expect(items(decode(byKey, record({ payload }, { key: Buffer.from('u2') })))).toMatchObject([{ user: 'u2' }]);
  });
});

describe('a record of format wss', () => {
  const wss = topicPolicy('wss', { format: 'wss', retention: null });
  const update = (document: unknown, type: unknown = 'update_subscription'): unknown => {
    const decoded = decode(wss, record({ type, document }));
    return decoded.kind === 'items' ? decoded.items.map(({ head }) => head) : verdict(decoded);
  };

  it('goes to each subscription id once, with the data as it was written', () => {
    const text =
      '{"type":"update_subscription","document":{"subscriptions":["a1","b2","a1"],"type":"t","event":"e",' +
      '"options":{"reload":false},"data":{"data":1.0, "x":1e400}}}';
    const all = items(decode(wss, record(text)));
    expect(all).toMatchObject(['a1', 'b2'].map((id) => ({ kind: 'channel', stream: `sub/${id}`, retention: null })));
    expect(all[1]!.head).toBe('{"rid":-1,"event":"b2","status":"update","payload":{"data":1.0, "x":1e400}}');
  });

  it('has the status reload when it asks for it, with or without data', () => {
    expect(update({ subscriptions: ['a'], options: { reload: true }, data: [1] })).toEqual([
      '{"rid":-1,"event":"a","status":"reload","payload":[1]}',
    ]);
    expect(update({ subscriptions: ['a'], options: { reload: true } })).toEqual([
      '{"rid":-1,"event":"a","status":"reload","payload":null}',
    ]);
  });

  it.each([
    [{ subscriptions: ['a'], data: 1 }, 'update_notification', 'unknown_type'],
    [{ subscriptions: ['a'], data: 1 }, null, 'unknown_type'],
    [undefined, 'update_subscription', 'no_payload'],
    [{ subscriptions: ['a'] }, 'update_subscription', 'no_payload'],
    [null, 'update_subscription', 'bad_member'],
    [{ data: 1 }, 'update_subscription', 'no_audience'],
    [{ subscriptions: [], data: 1 }, 'update_subscription', 'no_audience'],
    [{ subscriptions: 'a', data: 1 }, 'update_subscription', 'bad_member'],
    [{ subscriptions: ['a', 'b c'], data: 1 }, 'update_subscription', 'bad_member'],
    [{ subscriptions: [5], data: 1 }, 'update_subscription', 'bad_member'],
    [{ subscriptions: ['a'], options: [], data: 1 }, 'update_subscription', 'bad_member'],
    [{ subscriptions: ['a'], options: { reload: 'yes' }, data: 1 }, 'update_subscription', 'bad_member'],
  ])('with document %j and type %j is a dead letter: %s', (document, type, error) => {
    expect(update(document, type)).toBe(error);
  });
});
