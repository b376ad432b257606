import { BlockList, isIP } from 'node:net';
import type { Handshake } from '@ws-gateway/core';

/** The proxies in front whose X-Forwarded-For is believed. */
export class TrustedProxies {
  readonly #trusted = new BlockList();

  /** Addresses and networks in CIDR notation. */
  constructor(proxies: readonly string[]) {
    for (const proxy of proxies) {
      const [address = '', prefix] = proxy.split('/');
      const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
      if (prefix === undefined) this.#trusted.addAddress(address, family);
      else this.#trusted.addSubnet(address, Number(prefix), family);
    }
  }

  /**
   * The address that limits apply to. Behind trusted proxies it is the last address of X-Forwarded-For that is not a
   * trusted proxy itself: everything left of it could have been written by the client.
   */
  clientAddress(handshake: Pick<Handshake, 'remoteAddress' | 'forwardedFor'>): string {
    const { remoteAddress, forwardedFor } = handshake;
    if (!this.#trusts(remoteAddress)) return remoteAddress;
    const hops = forwardedFor.split(',').map((hop) => hop.trim());
    return hops.findLast((hop) => isIP(hop) !== 0 && !this.#trusts(hop)) ?? remoteAddress;
  }

  #trusts(address: string): boolean {
    const family = isIP(address);
    return family !== 0 && this.#trusted.check(address, family === 6 ? 'ipv6' : 'ipv4');
  }
}
