import type { Positions } from './positions.js';
import { publicStream } from './positions.js';

export type TokenPlace = 'protocol' | 'query';

export interface Handshake {
  readonly url: string;
  readonly protocols: readonly string[];
}

export interface HandshakeOptions {
  /** '' for a guest. */
  readonly token: string;
  readonly tokenIn: TokenPlace;
  readonly topics: readonly string[];
  readonly positions: Positions;
}

/** What a subprotocol may consist of (RFC 9110, token). Every JWT fits. */
const PROTOCOL_TOKEN = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;

/** Address and subprotocols of one attempt; topics and positions ride in the query, percent-encoded. */
export function handshake(base: string, options: HandshakeOptions): Handshake {
  const { token, topics, positions } = options;
  const url = new URL(base);
  const protocols: string[] = [];
  if (token !== '') {
    // As a subprotocol the token stays out of the access logs of proxies on the way.
    if (options.tokenIn === 'protocol' && PROTOCOL_TOKEN.test(token)) protocols.push('bearer', token);
    else url.searchParams.set('token', token);
  }
  if (topics.length > 0) url.searchParams.set('topics', topics.join(','));
  const recover = topics.flatMap((topic) => recoverOf(topic, positions, token !== ''));
  if (recover.length > 0) url.searchParams.set('recover', recover.join(','));
  return { url: url.href, protocols };
}

/**
 * A user's own stream goes by the bare topic name: a stream name of another user (the token may be another one's now)
 * would be refused, and browsers could not see why; a wrong position is answered with `recovered: false`.
 */
function recoverOf(topic: string, positions: Positions, hasUser: boolean): string[] {
  const list: string[] = [];
  const [own] = hasUser ? positions.ownStreamsOf(topic) : [];
  for (const [name, stream] of [
    [topic, own],
    [publicStream(topic), publicStream(topic)],
  ] as const) {
    const position = stream === undefined ? null : positions.get(stream);
    if (position !== null) list.push(`${name}:${position.epoch}:${position.offset}`);
  }
  return list;
}
