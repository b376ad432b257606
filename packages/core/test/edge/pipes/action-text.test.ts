import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { parsePipeAction, pipeErrorText } from '../../../src/edge/pipes/action-text.js';

const BYTES_MAX = 100_000;
const parse = (text: string) => parsePipeAction(text, BYTES_MAX);

describe('what a backend asks for', () => {
  it('is a text as it is or JSON as it was written', () => {
    expect(parse('{"user":"a","action":"send","message":"t\\u0041\\n"}')).toEqual({
      action: 'send',
      user: 'a',
      frame: 'tA\n',
    });
    const message = '{ "n":12345678901234567890,"e" : 1.0e400 }';
    expect(parse(`{"user":"a","action":"send","message":${message}}`)).toMatchObject({ frame: message });
    expect(parse('{"user":"a","action":"send","message":null}')).toMatchObject({ frame: 'null' });
  });

  it('closes with 1000 when it names no code, and with a reason that fits', () => {
    expect(parse('{"user":"a","action":"close"}')).toEqual({
      action: 'close',
      user: 'a',
      close: { code: 1000, reason: '' },
    });
    const long = parse(JSON.stringify({ user: 'a', action: 'close', code: 3000, reason: 'ü'.repeat(100) }));
    expect(long).toMatchObject({ close: { code: 3000, reason: 'ü'.repeat(61) } });
  });

  it('is bad when it is longer than allowed, and is not repeated at length then', () => {
    const text = JSON.stringify({ user: 'a', action: 'send', message: 'x'.repeat(300_000) });
    expect(parse(text)).toMatchObject({ action: 'bad' });
    expect(JSON.parse(pipeErrorText(text, 'bad_action', 'm'))).toMatchObject({ user: null, action: null });
  });

  it('never reaches a prototype', () => {
    expect(parse('{"__proto__":{"user":"a","action":"close"}}')).toMatchObject({ action: 'bad' });
    expect(parse('{"user":"a","action":"constructor"}')).toMatchObject({ action: 'bad' });
  });

  it('never throws, whatever it is, and its error is JSON that repeats what was given', () => {
    const members = fc.record(
      { user: fc.jsonValue(), action: fc.jsonValue(), message: fc.jsonValue(), code: fc.jsonValue() },
      { requiredKeys: [] },
    );
    const deep = fc.integer({ min: 1, max: 20_000 }).map((depth) => '['.repeat(depth) + ']'.repeat(depth));
    const texts = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.json(),
      members.map((value) => JSON.stringify(value)),
      deep,
      deep.map((value) => `{"user":${value},"action":${value}}`),
    );
    fc.assert(
      fc.property(texts, (text) => {
        const action = parse(text);
        const error = JSON.parse(pipeErrorText(text, 'bad_action', 'why')) as Record<string, unknown>;
        expect(Object.keys(error)).toEqual(['user', 'event', 'action', 'code', 'message']);
        if (action.action !== 'bad') expect(error).toMatchObject({ user: action.user, action: action.action });
      }),
      { numRuns: 500 },
    );
  });
});
