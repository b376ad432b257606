import { describe, expect, it } from '@jest/globals';
import { decode, frame, items, record, verdict } from './decode-kit.js';
import { topicPolicy } from '../policies.js';

const policy = topicPolicy('notifications');
const { retention } = policy;

/** Value without audience. */
const bare = { payload: { n: 1 } };

function addressees(members: object, headers: Record<string, Buffer | string> = {}): unknown {
  const decoded = decode(policy, record({ ...bare, ...members }, { headers }));
  if (decoded.kind !== 'items') return verdict(decoded);
  return decoded.items.map((item) => {
    if (item.kind === 'user' || item.kind === 'block') return item.user;
    return item.kind === 'channel' ? item.stream : item.kind;
  });
}

describe('the audience of a record', () => {
  it.each([
    ['user:u1', ['u1']],
    ['user:a:b,c', ['a:b,c']],
    ['users:a,b,a', ['a', 'b']],
    ['topic', ['notifications/*']],
    ['room:r.1', ['room/r.1']],
    ['hub:main', ['hub/main']],
    ['all', ['all']],
  ])('is what the header ws-audience %s says, whatever the members say', (header, expected) => {
    const members = { users: ['x'], room: 'x', hub: 'x', broadcast: true, user_id: 'x' };
    expect(addressees(members, { 'ws-audience': Buffer.from(header) })).toEqual(expected);
    expect(addressees({}, { 'ws-audience': header })).toEqual(expected);
  });

  it.each([
    ['', 'bad_audience'],
    ['user', 'bad_audience'],
    ['user:', 'bad_audience'],
    ['users:', 'bad_audience'],
    ['users:a,,b', 'bad_audience'],
    ['everyone', 'bad_audience'],
    ['ALL', 'bad_audience'],
    [' all', 'bad_audience'],
    ['room:', 'bad_audience'],
    ['room:a b', 'bad_audience'],
    ['hub:ä', 'bad_audience'],
    [`room:${'r'.repeat(129)}`, 'bad_audience'],
    [`user:${'u'.repeat(129)}`, 'bad_member'],
    ['user:a\tb', 'bad_member'],
    ['users:a,b\n', 'bad_member'],
  ])('is never the next rule when the header reads "%s"', (header, error) => {
    expect(addressees({ user_id: 'u1' }, { 'ws-audience': header })).toBe(error);
  });

  it('is never the next rule when the header is there twice, is empty or is not text', () => {
    for (const header of [['user:a', 'user:b'], undefined, Buffer.from([0xff]), []]) {
      const decoded = decode(policy, record({ ...bare, user_id: 'u1' }, { headers: { 'ws-audience': header } }));
      expect(verdict(decoded)).toBe('bad_audience');
    }
  });

  it('is the first member that applies: users, room, hub, broadcast, user_id', () => {
    const members = { users: ['a', 'b', 'a'], room: 'r', hub: 'h', broadcast: true, user_id: 'u' };
    expect(addressees(members)).toEqual(['a', 'b']);
    expect(addressees({ ...members, users: null })).toEqual(['room/r']);
    expect(addressees({ ...members, users: undefined, room: null })).toEqual(['hub/h']);
    expect(addressees({ broadcast: true, user_id: 'u' })).toEqual(['all']);
    expect(addressees({ broadcast: false, user_id: 'u' })).toEqual(['u']);
    expect(addressees({ user_id: '"ann" lee' })).toEqual(['"ann" lee']);
  });

  it.each([
    [{}, 'no_audience'],
    [{ user_id: null }, 'no_audience'],
    [{ users: [], user_id: 'u' }, 'no_audience'],
    [{ broadcast: false }, 'no_audience'],
    [{ users: 'u' }, 'bad_member'],
    [{ users: ['a', 1] }, 'bad_member'],
    [{ users: ['a', ''] }, 'bad_member'],
    [{ room: 'a/b', user_id: 'u' }, 'bad_audience'],
    [{ room: 5 }, 'bad_audience'],
    [{ hub: '' }, 'no_audience'],
    [{ broadcast: 'true', user_id: 'u' }, 'bad_member'],
    [{ user_id: '' }, 'no_audience'],
    [{ user_id: 7 }, 'bad_member'],
    [{ user_id: 'u\u0000' }, 'bad_member'],
    [{ user_id: 'u'.repeat(129) }, 'bad_member'],
    [{ room: 'r', user_id: ['u'] }, 'bad_member'],
  ])('of members %j is a dead letter: %s', (members, error) => {
    expect(addressees(members)).toBe(error);
  });

  it('ignores what is only on a prototype', () => {
    expect(verdict(decode(policy, record('{"__proto__":{"user_id":"u"},"payload":1}')))).toBe('no_audience');
    expect(verdict(decode(policy, record('{"constructor":{"user_id":"u"},"payload":1}')))).toBe('no_audience');
  });

  it('is the user in the key only for topics that say so', () => {
    const source = record(bare, { key: Buffer.from('u7') });
    const byKey = topicPolicy('notifications', { audienceFromKey: true });
    expect(verdict(decode(policy, source))).toBe('no_audience');
    expect(items(decode(byKey, source))).toMatchObject([{ kind: 'user', user: 'u7' }]);
    expect(verdict(decode(byKey, record(bare)))).toBe('no_audience');
    expect(verdict(decode(byKey, record(bare, { key: Buffer.from([0xc3]) })))).toBe('bad_member');
    expect(verdict(decode(byKey, record(bare, { key: Buffer.from('a\nb') })))).toBe('bad_member');
    expect(items(decode(byKey, record({ ...bare, user_id: 'u1' }, { key: Buffer.from('u7') })))).toMatchObject([
      { user: 'u1' },
    ]);
  });
});

describe('the items of a record', () => {
  it('are one for each user, each with its own user_id and the record as its source', () => {
    const all = items(decode(policy, record({ ...bare, users: ['a', 'b'] })));
    expect(all).toMatchObject(
      ['a', 'b'].map((user) => ({ kind: 'user', topic: 'notifications', user, retention, sourceOffset: 42 })),
    );
    expect(all[1]!.head).toContain('"user_id":"b"');
    expect(all[1]!.head.endsWith(',"payload":{"n":1},"stream":"notifications/u/b","epoch":"')).toBe(true);
  });

  it('are whole frames where nothing is kept', () => {
    const forgetful = topicPolicy('notifications', { retention: null });
    for (const audience of ['user:u', 'topic', 'room:r', 'hub:h', 'all']) {
      const decoded = decode(forgetful, record(bare, { headers: { 'ws-audience': audience } }));
      const whole = frame(decoded);
      expect(whole).toMatchObject({ event: 'notifications', payload: { n: 1 } });
      expect(whole).not.toHaveProperty('stream');
    }
  });

  it('keep the history of the topic for its public stream, of rooms for rooms, none for hubs and all', () => {
    const rooms = { mode: 'ordered', size: 5, ttlMs: 1 } as const;
    const retained = (audience: string): unknown => {
      const [item] = items(
        decode(policy, record(bare, { headers: { 'ws-audience': audience } }), { roomRetention: rooms }),
      );
      return [item!.head.endsWith(',"epoch":"'), 'retention' in item! ? item.retention : undefined];
    };
    expect(retained('topic')).toEqual([true, retention]);
    expect(retained('room:r')).toEqual([true, rooms]);
    expect(retained('hub:h')).toEqual([false, null]);
    expect(retained('all')).toEqual([false, undefined]);
  });

  it('say whom a public record is about', () => {
    const headers = { 'ws-audience': 'topic' };
    expect(frame(decode(policy, record({ ...bare, user_id: 'u9' }, { headers })))).toMatchObject({ user_id: 'u9' });
  });

  it('may not multiply a record to more than 64 times its limit', () => {
    const users = Array.from({ length: 500 }, (_, i) => `u${i}`);
    const fits = record({ users, payload: 'x'.repeat(1000) });
    const bursts = record({ users, payload: 'x'.repeat(5000) });
    expect(items(decode(policy, fits))).toHaveLength(500);
    expect(verdict(decode(policy, bursts))).toBe('too_large');
  });
});
