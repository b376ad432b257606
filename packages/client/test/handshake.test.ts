import { describe, expect, it } from '@jest/globals';
import { handshake } from '../src/handshake.js';
import { Positions } from '../src/positions.js';

const none = new Positions();
const options = { token: 'h.p.s', tokenIn: 'protocol', topics: ['a', 'b'], positions: none } as const;

describe('a handshake', () => {
  it('carries the token as a subprotocol, where no access log sees it', () => {
    const { url, protocols } = handshake('wss://host/ws?x=1', options);
    expect(protocols).toEqual(['bearer', 'h.p.s']);
    expect(url).toBe('wss://host/ws?x=1&topics=a%2Cb');
  });

  it('carries it in the query if that is wanted, or if it can be no subprotocol', () => {
    expect(handshake('wss://host/ws', { ...options, tokenIn: 'query' })).toEqual({
      url: 'wss://host/ws?token=h.p.s&topics=a%2Cb',
      protocols: [],
    });
    expect(handshake('wss://host/ws', { ...options, token: 'a b' }).url).toContain('token=a+b');
  });

  it('of a guest without topics is the bare address', () => {
    expect(handshake('ws://host/web', { ...options, token: '', topics: [] })).toEqual({
      url: 'ws://host/web',
      protocols: [],
    });
  });

  it('asks for what was missed, percent-encoded: own streams by their topic, public ones by name', () => {
    const positions = new Positions({
      'a/u/an,n:x:1': { epoch: 'e1', offset: 7 },
      'a/*': { epoch: 'e2', offset: 0 },
      'room/r': { epoch: 'e3', offset: 1 },
      'not-subscribed/u/ann': { epoch: 'e4', offset: 9 },
    });
    const { url } = handshake('ws://host/ws', { ...options, positions });
    expect(url).toContain('recover=a%3Ae1%3A7%2Ca%2F*%3Ae2%3A0');
    expect(new URL(url).searchParams.get('recover')).toBe('a:e1:7,a/*:e2:0');
    const guest = handshake('ws://host/ws', { ...options, positions, token: '' });
    expect(new URL(guest.url).searchParams.get('recover')).toBe('a/*:e2:0');
  });
});
