import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { PointerScan } from '../../src/records/json/pointer-scan.js';

const POINTERS = ['', '/a', '/a/b', '/a/0', '/b/1/a', '/a~1b', '/__proto__/a', '/c/'] as const;

/** What RFC 6901 says of a parsed value. */
function byParse(value: unknown, pointer: string): unknown {
  const names = pointer.split('/').slice(1);
  return names.reduce<unknown>((at, raw) => {
    const name = raw.replaceAll('~1', '/').replaceAll('~0', '~');
    if (Array.isArray(at)) return /^(0|[1-9]\d*)$/.test(name) ? (at[Number(name)] as unknown) : undefined;
    const isObject = typeof at === 'object' && at !== null;
    return isObject && Object.hasOwn(at, name) ? (at as Record<string, unknown>)[name] : undefined;
  }, value);
}

const scan = new PointerScan();
const slots = POINTERS.map((pointer) => scan.slot(pointer));

function expectAgreement(text: string): void {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    expect(scan.run(text)).toMatchObject({ error: 'not_json' });
    return;
  }
  expect(scan.run(text)).toBeNull();
  const found = slots.map((slot) =>
    scan.starts[slot]! < 0 ? undefined : (JSON.parse(text.slice(scan.starts[slot], scan.ends[slot])) as unknown),
  );
  expect(found).toEqual(POINTERS.map((pointer) => byParse(value, pointer)));
}

const keys = fc.constantFrom('a', 'b', 'c', '', '0', 'a/b', '__proto__', 'a"\\', 'ü😀');
const { value: values } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom(null, true, false, 0, -1.5e-7, 12, '', 'x', 'line\nbreak', '\ud800'),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.array(fc.tuple(keys, tie('value')), { maxLength: 4 }).map((entries) => Object.fromEntries(entries)),
  ),
}));

it('finds in any JSON what a JSON pointer names, and takes nothing else for JSON', () => {
  fc.assert(
    fc.property(values, fc.constantFrom(undefined, 1, '\t'), (value, indent) => {
      expectAgreement(JSON.stringify(value, null, indent));
    }),
    { numRuns: 2000 },
  );
});

it('agrees with JSON.parse about text that is damaged', () => {
  const damaged = fc
    .tuple(values, fc.nat(), fc.constantFrom('', ',', '"', '{', '}', ']', ':', '1', ' ', '\\'))
    .map(([value, at, piece]) => {
      const text = JSON.stringify(value);
      const cut = at % (text.length + 1);
      return text.slice(0, cut) + piece + text.slice(cut + 1);
    });
  fc.assert(fc.property(damaged, expectAgreement), { numRuns: 4000 });
});

it.each(['{"a":{"b":1},"a":2}', '{"a":[1],"a":{"b":2}}', ' [ ] ', '17', '\n"x"', '{"b":[0,{"a":5}]}', ''])(
  'agrees with JSON.parse about %j',
  expectAgreement,
);
