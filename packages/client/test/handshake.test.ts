import { describe, expect, it } from '@jest/globals';
import { handshakeTo, sseAddress } from '../src/handshake.js';
import { Positions } from '../src/positions.js';

const none = new Positions();
const options = {
  token: 'h.p.s',
  tokenIn: 'protocol',
  topics: ['a', 'b'],
  positions: none,
  wished: () => null,
} as const;

describe('a handshake', () => {
  it('carries the token beside the address, where no access log sees it', () => {
    expect(handshakeTo('wss://host/ws?x=1', options)).toEqual({
      url: 'wss://host/ws?x=1&topics=a%2Cb',
      bearer: 'h.p.s',
    });
  });

  it('carries it in the query only if that is wanted', () => {
    expect(handshakeTo('wss://host/ws', { ...options, tokenIn: 'query' })).toEqual({
      url: 'wss://host/ws?token=h.p.s&topics=a%2Cb',
      bearer: '',
    });
  });

  it('of a guest without topics is the bare address', () => {
    expect(handshakeTo('ws://host/web', { ...options, token: '', topics: [] })).toEqual({
      url: 'ws://host/web',
      bearer: '',
    });
  });

  it('names keys of a topic each by itself, and asks for what was missed of each by its stream', () => {
    const positions = new Positions({ 'q/k/A,B': { epoch: 'e1', offset: 7 }, 'q/k/C/u/x': { epoch: 'e2', offset: 1 } });
    const wished = (name: string) => (name === 'q/k/€' ? { epoch: 'e3', offset: 3 } : null);
    const topics = ['a', 'q/k/A,B', 'q/k/€', 'q/k/C'];
    const { searchParams } = new URL(handshakeTo('ws://host/ws', { ...options, topics, positions, wished }).url);
    expect(new Set(searchParams.get('topics')?.split(','))).toEqual(new Set(['a', 'q']));
    expect(searchParams.getAll('key.q')).toEqual(['A,B', '€', 'C']);
    expect(searchParams.get('recover')).toBe('q/k/A,B:e1:7,q/k/€:e3:3');
  });

  it('asks for what was missed, percent-encoded: own streams by their topic, public ones by name', () => {
    const positions = new Positions({
      'a/u/an,n:x:1': { epoch: 'e1', offset: 7 },
      'a/*': { epoch: 'e2', offset: 0 },
      'room/r': { epoch: 'e3', offset: 1 },
      'not-subscribed/u/ann': { epoch: 'e4', offset: 9 },
    });
    const { url } = handshakeTo('ws://host/ws', { ...options, positions });
    expect(url).toContain('recover=a%3Ae1%3A7%2Ca%2F*%3Ae2%3A0');
    expect(new URL(url).searchParams.get('recover')).toBe('a:e1:7,a/*:e2:0');
    const guest = handshakeTo('ws://host/ws', { ...options, positions, token: '' });
    expect(new URL(guest.url).searchParams.get('recover')).toBe('a/*:e2:0');
  });
});

describe('a handshake for server-sent events', () => {
  it('goes to the path beside that of the WebSockets', () => {
    expect(sseAddress('wss://host/gate/ws?x=1')).toBe('https://host/gate/sse?x=1');
  });

  it('has no place at other endpoints', () => {
    expect(sseAddress('ws://host/websocket/main')).toBeNull();
  });

  it('brings a position that was given with a topic, until there is one of its own', () => {
    const wished = (topic: string) => (topic === 'a' ? { epoch: 'w', offset: 4 } : null);
    const bare = handshakeTo('https://host/sse', { ...options, wished });
    expect(new URL(bare.url).searchParams.get('recover')).toBe('a:w:4');
    const positions = new Positions({ 'a/u/ann': { epoch: 'e1', offset: 7 } });
    const known = handshakeTo('https://host/sse', { ...options, wished, positions });
    expect(new URL(known.url).searchParams.get('recover')).toBe('a:e1:7');
  });
});
