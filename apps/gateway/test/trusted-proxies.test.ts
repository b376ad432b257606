import { describe, expect, it } from '@jest/globals';
import { TrustedProxies } from '../src/trusted-proxies.js';

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
    expect(address('10.1.2.3', '203.0.113.9, unknown')).toBe('203.0.113.9');
    expect(address('192.168.1.1', '10.0.0.1')).toBe('192.168.1.1');
  });
});
