import { describe, expect, it } from '@jest/globals';
import { parseHandshakeQuery } from '../../../src/edge/handshake/handshake-query.js';
import { RefusalError } from '../../../src/edge/refusals.js';

const parse = (query: string) => parseHandshakeQuery(query, ['token', 't']);

function refusal(query: string): string {
  try {
    parse(query);
  } catch (error) {
    if (error instanceof RefusalError) return error.code;
    throw error;
  }
  return 'accepted';
}

describe('the query of a handshake', () => {
  it('takes the token from the first configured parameter that is not empty', () => {
    expect(parse('token=&t=abc').token).toBe('abc');
    expect(parse('t=abc&token=xyz').token).toBe('xyz');
    expect(parse('topics=a').token).toBeNull();
    expect(parse('').token).toBeNull();
  });

  it('counts a topic listed twice once and leaves out empty names', () => {
    expect(parse('topics=a,b,a,,%20b').topics).toEqual(['a', 'b']);
    expect(parse('topics=').topics).toEqual([]);
    expect(parse('topics=a%2Cb').topics).toEqual(['a', 'b']);
    expect(parse('topics=a&topics=b,a&recover=a:e:1&recover=b:e:2')).toMatchObject({
      topics: ['a', 'b'],
      recover: new Map([
        ['a', { epoch: 'e', offset: 1 }],
        ['b', { epoch: 'e', offset: 2 }],
      ]),
    });
  });

  it('refuses over-long or malformed names and broken percent-encoding', () => {
    expect(refusal(`topics=${'a'.repeat(129)}`)).toBe('bad_request');
    expect(refusal('topics=a/b')).toBe('bad_request');
    expect(refusal('topics=%E0%A4%A')).toBe('bad_request');
  });

  it('reads keys by topic: commas part them however they are encoded, but not in a key that is named by itself', () => {
    const { keys } = parse('topics=q,r&keys.q=A%2CB,,A&key.q=a%2Cb&keys.q=%E2%82%AC&keys.r=');
    expect(keys).toEqual(new Map([['q', ['A', 'B', '€', 'a,b']]]));
    expect(parse('topics=q&keys=A&keysq=B&xkeys.q=C').keys).toEqual(new Map());
    expect(parse('topics=__proto__&keys.__proto__=__proto__').keys).toEqual(new Map([['__proto__', ['__proto__']]]));
    for (const bad of ['keys.q=A', 'topics=r&key.q=A', 'topics=q&keys.q=A,%00', `topics=q&key.q=${'x'.repeat(129)}`])
      expect([bad, refusal(bad)]).toEqual([bad, 'bad_request']);
  });

  it('reads positions whatever the user id in the stream holds', () => {
    const stream = 'notifications/u/a:b,c d';
    const { recover } = parse(`recover=${encodeURIComponent(`${stream}:k3f9:17,balance-updates:e1:0`)}`);
    expect(recover.get(stream)).toEqual({ epoch: 'k3f9', offset: 17 });
    expect(recover.get('balance-updates')).toEqual({ epoch: 'e1', offset: 0 });
    expect(recover.size).toBe(2);
  });

  it('refuses positions that are not <stream>:<epoch>:<offset>', () => {
    for (const bad of [
      'notifications',
      'notifications:e',
      'notifications:e:x',
      'notifications:e:-1',
      ':e:1,',
      'n:e:1,x',
      'n:e:9999999999999999',
    ]) {
      expect({ bad, verdict: refusal(`recover=${encodeURIComponent(bad)}`) }).toEqual({ bad, verdict: 'bad_request' });
    }
  });
});
