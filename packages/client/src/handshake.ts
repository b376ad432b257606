import type { Position, Positions } from './positions.js';
import { splitName } from './frames.js';
import { publicStream } from './positions.js';

export type TokenPlace = 'protocol' | 'query';

/** Things that a handshake asks for, by whichever transport. */
export interface HandshakeOptions {
  /** '' for a guest. */
  readonly token: string;
  readonly tokenIn: TokenPlace;
  readonly topics: readonly string[];
  readonly positions: Positions;
  /** A position that the application gave with a topic. */
  readonly wished: (topic: string) => Position | null;
}

/** One attempt, by whichever transport. */
export interface Handshake {
  readonly url: string;
  /** Token that travels beside the address, where no access log of a proxy on the way sees it; '': none does. */
  readonly bearer: string;
}

/** Address and token of one attempt; topics and positions ride in the query, percent-encoded. */
export function handshakeTo(base: string, options: HandshakeOptions): Handshake {
  const { token, tokenIn, topics } = options;
  const inQuery = tokenIn === 'query';
  const url = new URL(base);
  const names = topics.map(splitName);
  const parameters = {
    token: inQuery ? token : '',
    // One that is there twice counts once.
    topics: names.map(([topic]) => topic).join(),
    recover: recoverOf(options),
  };
  for (const [name, value] of Object.entries(parameters)) if (value) url.searchParams.set(name, value);
  for (const [topic, key] of names) if (key) url.searchParams.append(`key.${topic}`, key);
  return { url: url.href, bearer: inQuery ? '' : token };
}

/** The gateway has one path for server-sent events, beside `/ws`. null: other endpoints have no such thing. */
export function sseAddress(webSocketUrl: string): string | null {
  const url = new URL(webSocketUrl);
  if (!/\/(ws|sse)$/.test(url.pathname)) return null;
  url.protocol = url.protocol.replace('ws', 'http');
  url.pathname = url.pathname.replace(/ws$/, 'sse');
  return url.href;
}

/**
 * The positions that a handshake brings. A user's own stream goes by the bare topic name: a stream name of another user
 * (the token may be another one's now) would be refused; a wrong position is answered with `recovered: false`.
 */
export function recoverOf({ topics, token, positions, wished }: HandshakeOptions): string {
  const asked = topics.flatMap((topic) => {
    const isKey = topic.includes('/');
    const own = token === '' || isKey ? undefined : positions.ownStreamsOf(topic)[0];
    const shared = isKey ? topic : publicStream(topic);
    return [
      [topic, own === undefined ? wished(topic) : positions.get(own)],
      [shared, positions.get(shared)],
    ] as const;
  });
  return asked.flatMap(([name, at]) => (at === null ? [] : [`${name}:${at.epoch}:${at.offset}`])).join();
}
