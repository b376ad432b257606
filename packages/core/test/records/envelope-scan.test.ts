import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { scanEnvelope } from '../../src/records/formats/envelope-scan.js';
import { memberText } from '../../src/records/json/member-text.js';
import { Members } from '../../src/records/formats/members.js';

/** What the slow way finds; null where JSON.parse refuses the text or it is no object. */
function byJsonParse(text: string): { members: Record<string, unknown>; payload: string | null } | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const object = value as Record<string, unknown>;
  const names = Object.keys(new Members());
  const members = Object.fromEntries(
    names.map((name) => [name, Object.hasOwn(object, name) ? object[name] : undefined]),
  );
  return { members, payload: memberText(text, 'payload') };
}

function expectSound(text: string): boolean {
  const scanned = scanEnvelope(text);
  if (scanned === null) return false;
  expect({ members: Object.fromEntries(Object.entries(scanned.members)), payload: scanned.payload }).toEqual(
    byJsonParse(text),
  );
  return true;
}

const names = ['id', 'type', 'user_id', 'timestamp', 'users', 'room', 'hub', 'broadcast', 'payload', '__proto__', 'x'];

describe('the scan of an envelope', () => {
  it.each([
    '{"id":"n-1","type":"t","user_id":"ü😀","payload":{"a":[1,-2.50e+3,0,-0,1E5,12345678901234567890,1e400]},"users":["a"]}',
    ' { "payload" : [ { } , [ ] , { "a" : true , "b" : [ false , null ] } ] , "broadcast" : true }   '.trimStart(),
    '{"payload":1,"payload":{"payload":2},"user_id":"a","user_id":null,"room":5}',
    '{"payload":"}]{[,:","":"","__proto__":{"user_id":"x"}}',
    '{"a":1}',
  ])('takes %s', (text) => {
    expect(expectSound(text)).toBe(true);
  });

  it.each(['{}', '{"payload":"a\\n"}', '{"payload":\n1}', `{"payload":${'['.repeat(40)}${']'.repeat(40)}}`])(
    'leaves %j to JSON.parse',
    (text) => {
      expect(scanEnvelope(text)).toBeNull();
    },
  );

  it.each([
    '',
    '{',
    '{"',
    '{"a',
    '{"a"',
    '{"a":',
    '{"a":1',
    '{"a":1,',
    '{"a":1,}',
    '{,}',
    '{"a" 1}',
    '{"a":1}}',
    '{"a":1} x',
    '{a:1}',
    "{'a':1}",
    '{"a":01}',
    '{"a":-}',
    '{"a":+1}',
    '{"a":.5}',
    '{"a":1.}',
    '{"a":1e}',
    '{"a":1e+}',
    '{"a":0x1}',
    '{"a":1 2}',
    '{"a":tru}',
    '{"a":truex}',
    '{"a":nullnull}',
    '{"a":NaN}',
    '{"a":[1,]}',
    '{"a":[,1]}',
    '{"a":[1}',
    '{"a":{"b":1]}',
    '{"a":{"b"}}',
    '{"a":{1:2}}',
    '{"a":"b""c"}',
    '[{"a":1}]',
    '\ufeff{"a":1}',
    '{"a":1\u00a0}',
  ])('takes no %s', (text) => {
    expect(byJsonParse(text)).toBeNull();
    expect(scanEnvelope(text)).toBeNull();
  });

  it('never takes what JSON.parse refuses, and finds what it finds, for damaged JSON', () => {
    const text = fc
      .array(fc.tuple(fc.constantFrom(...names), fc.jsonValue({ maxDepth: 3 })), { minLength: 1 })
      .map((members) => {
        return `{${members.map(([name, value]) => `"${name}":${JSON.stringify(value)}`).join(',')}}`;
      });
    const piece = fc.constantFrom(
      '',
      ' ',
      ',',
      ':',
      '"',
      '{',
      '}',
      '[',
      ']',
      '0',
      '-',
      '.',
      'e',
      't',
      'null',
      '\\',
      '\t',
    );
    const damage = fc.array(fc.tuple(fc.nat(), fc.nat(2), piece), { maxLength: 2 });
    let taken = 0;
    let damagedTaken = 0;
    fc.assert(
      fc.property(text, damage, (whole, cuts) => {
        let damaged = whole;
        for (const [at, length, put] of cuts) {
          const start = at % (damaged.length + 1);
          damaged = damaged.slice(0, start) + put + damaged.slice(start + length);
        }
        if (!expectSound(damaged)) return;
        taken++;
        if (damaged !== whole) damagedTaken++;
      }),
      { numRuns: 5000 },
    );
    // The comparison was worth something.
    expect(taken).toBeGreaterThan(500);
    expect(damagedTaken).toBeGreaterThan(100);
  });
});
