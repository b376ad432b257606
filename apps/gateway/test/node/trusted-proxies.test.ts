import { describe, expect, it } from '@jest/globals';
import { TrustedProxies } from '../../src/node/trusted-proxies.js';

const proxies = new TrustedProxies(['10.0.0.0/8', '192.168.1.1', '2001:db8::/32']);
const address = (remoteAddress: string, forwardedFor = '') => proxies.clientAddress({ remoteAddress, forwardedFor });

describe('the address of a client', () => {
  it('is the peer when the peer is no trusted proxy, whatever it claims', () => {
    expect(address('203.0.113.9', '198.51.100.1')).toBe('203.0.113.9');
  });

  it('is the last hop that is not a trusted proxy', () => {
    expect(address('10.1.2.3', '198.51.100.1, 203.0.113.9, 192.168.1.1')).toBe('203.0.113.9');
    expect(address('2001:db8::1', '2001:db9::7')).toBe('2001:db9::7');
  });

  it('is the proxy itself when it names nobody, and never something that is no address', () => {
    expect(address('10.1.2.3')).toBe('10.1.2.3');
    expect(address('192.168.1.1', '10.0.0.1')).toBe('192.168.1.1');
  });

  it('is never what stands left of an entry that is no address: the client may have written it', () => {
    expect(address('10.1.2.3', '203.0.113.9, unknown')).toBe('10.1.2.3');
  });

  it('is understood with a port behind it', () => {
    expect(address('10.1.2.3', '198.51.100.1, 203.0.113.9:4711')).toBe('203.0.113.9');
    expect(address('10.1.2.3', '198.51.100.1, [2001:db9::7]:4711, [2001:db8::1]')).toBe('2001:db9::7');
  });
});

describe('a PROXY header', () => {
  it('is believed from trusted proxies, and from everybody when there are none', () => {
    expect(proxies.sendsHeader('10.1.2.3')).toBe(true);
    expect(proxies.sendsHeader('203.0.113.9')).toBe(false);
    expect(new TrustedProxies([]).sendsHeader('203.0.113.9')).toBe(true);
  });
});
