import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { memberText } from '../../src/records/json/member-text.js';
import { parseRfc3339 } from '../../src/records/rfc3339.js';
import { decode, items, record } from './decode-kit.js';
import { topicPolicy } from '../policies.js';

describe('the text of a member', () => {
  it.each([
    ['{"payload":1}', '1'],
    [' \t\r\n{ "payload" \n: \t -1.50e+3 \r} ', '-1.50e+3'],
    ['{"payload":12345678901234567890,"x":1}', '12345678901234567890'],
    ['{"payload":1e400}', '1e400'],
    ['{"payload":-0}', '-0'],
    ['{"payload":null}', 'null'],
    ['{"payload":true }', 'true'],
    ['{"payload":""}', '""'],
    ['{"payload":{}}', '{}'],
    ['{"payload":[]}', '[]'],
    [String.raw`{"a":"\\","payload":"\\\""}`, String.raw`"\\\""`],
    [String.raw`{"a":"\\\\\"}","payload":"}"}`, '"}"'],
    [String.raw`{"a":"\"payload\":2","payload":1}`, '1'],
    ['{"a":{"payload":2},"payload":1,"b":[{"payload":3}]}', '1'],
    ['{"payload":[[{"}]":"]}"}],"\\"]"] }', '[[{"}]":"]}"}],"\\"]"]'],
    ['{"payload":1,"payload":2}', '2'],
    ['{"payload":1,"p\\u0061yload":{"two":2}}', '{"two":2}'],
    ['{"\\u0070\\u0061\\u0079\\u006c\\u006f\\u0061\\u0064":1}', '1'],
    ['{"payload\\u0000":1,"payload ":2,"Payload":3,"payload":4}', '4'],
    ['{"__proto__":{"payload":1},"payload":2}', '2'],
    ['{"":0,"payload":"😀\u2028"}', '"😀\u2028"'],
  ])('of %s is cut out exactly', (json, expected) => {
    expect(memberText(json, 'payload')).toBe(expected);
    expect(JSON.parse(expected)).toEqual((JSON.parse(json) as { payload: unknown }).payload);
  });

  it('is null where there is no such member', () => {
    for (const json of ['{}', ' { } ', '{"a":{"payload":1}}', '{"payloads":1}', '{"pay\\"load":1}']) {
      expect(memberText(json, 'payload')).toBeNull();
    }
  });

  it('is found around a hundred thousand brackets and backslashes', () => {
    const deep = '['.repeat(100_000) + ']'.repeat(100_000);
    expect(memberText(`{"a":${deep},"payload":${deep}}`, 'payload')).toBe(deep);
    const slashes = `"${'\\\\'.repeat(100_000)}"`;
    expect(memberText(`{"a":${slashes},"payload":${slashes}}`, 'payload')).toBe(slashes);
  });

  it('is what JSON.parse sees, for any JSON with any white space', () => {
    const space = fc.stringMatching(/^[ \t\r\n]{0,3}$/);
    const json = fc
      .tuple(fc.jsonValue({ maxDepth: 4 }), fc.nat(10))
      .map(([value, indent]) => JSON.stringify(value, null, indent));
    const key = fc.oneof(
      fc.constantFrom('payload', 'pay\\u006coad', 'payloa', '__proto__'),
      fc.string().map((k) => JSON.stringify(k).slice(1, -1)),
    );
    const member = fc.tuple(space, key, space, space, json, space);
    const members = fc.array(member, { maxLength: 6 });
    fc.assert(
      fc.property(members, json, members, (before, payload, after) => {
        const own: [string, string, string, string, string, string] = [' ', 'payload', '', ' ', payload, '\n'];
        const texts = [...before, own, ...after].map(([a, k, b, c, v, d]) => `${a}"${k}"${b}:${c}${v}${d}`);
        const whole = `{${texts.join(',')}}`;
        const winner = [...before, own, ...after].findLast(([, k]) => JSON.parse(`"${k}"`) === 'payload')!;
        const text = memberText(whole, 'payload');
        expect(text).toBe(winner[4].trim());
        expect(JSON.parse(text!)).toEqual((JSON.parse(whole) as { payload: unknown }).payload);
      }),
      { numRuns: 500 },
    );
  });
});

describe('decoding', () => {
  const policy = topicPolicy('notifications', { retention: null });

  it('passes the payload on byte for byte', () => {
    const payload = '{ "b" : 1.0,\t"a":[1e400 , 12345678901234567890],"b":"\\u00e4\\/ä😀" ,"n":{"x":{}} }';
    const [item] = items(decode(policy, record(`{"user_id":"u1","payload":${payload},"id":"n"}`)));
    expect(Buffer.from(item!.head).includes(Buffer.from(`"payload":${payload}}`))).toBe(true);
  });

  it('never throws, and makes frames that are JSON', () => {
    const wss = topicPolicy('wss', { format: 'wss', retention: null });
    const blocks = topicPolicy('user-blocks', { blocks: true, retention: null });
    const names = ['user_id', 'users', 'room', 'hub', 'broadcast', 'id', 'type', 'timestamp', 'payload', 'document'];
    const objects = fc
      .dictionary(fc.constantFrom(...names), fc.jsonValue({ maxDepth: 2 }))
      .map((o) => Buffer.from(JSON.stringify(o)));
    const values = fc.oneof(
      fc.uint8Array().map((bytes) => Buffer.from(bytes)),
      objects,
      fc.json().map((text) => Buffer.from(text)),
    );
    const header = fc.oneof(fc.string(), fc.uint8Array(), fc.constant(undefined), fc.array(fc.string()));
    const headers = fc.dictionary(fc.constantFrom('ws-audience', 'ws-id', 'ws-type', 'ws-ttl-ms'), header);
    fc.assert(
      fc.property(values, headers, fc.double(), fc.constantFrom(policy, wss, blocks), (value, hs, timestamp, topic) => {
        const decoded = decode(topic, record(value, { headers: hs, timestamp }));
        if (decoded.kind === 'items') for (const { head } of decoded.items) JSON.parse(head);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('RFC 3339', () => {
  it.each([
    ['2026-01-01T00:00:00Z', '2026-01-01T00:00:00.000Z'],
    ['2026-01-01t00:00:00.123456z', '2026-01-01T00:00:00.123Z'],
    ['2026-01-01T00:00:00-01:30', '2026-01-01T01:30:00.000Z'],
    ['2024-02-29T23:59:59+00:00', '2024-02-29T23:59:59.000Z'],
    ['2016-12-31T23:59:60Z', '2017-01-01T00:00:00.000Z'],
    ['0001-01-01T00:00:00Z', '0001-01-01T00:00:00.000Z'],
  ])('reads %s', (text, expected) => {
    expect(new Date(parseRfc3339(text)!).toISOString()).toBe(expected);
  });

  it.each([
    '',
    '2026',
    '2026-01-01',
    '2026-01-01T00:00:00',
    '2026-1-01T00:00:00Z',
    '2026-02-29T00:00:00Z',
    '2026-13-01T00:00:00Z',
  ])('refuses "%s"', (text) => expect(parseRfc3339(text)).toBeNull());

  it.each([
    '2026-01-01T24:00:00Z',
    '2026-01-01T00:60:00Z',
    '2026-01-01T00:00:00+24:00',
    ' 2026-01-01T00:00:00Z',
    '2026-01-00T00:00:00Z',
  ])('refuses "%s"', (text) => expect(parseRfc3339(text)).toBeNull());
});
