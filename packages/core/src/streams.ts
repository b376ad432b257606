/**
 * A stream is one ordered sequence that a client can be in the middle of. Its name is at once the key of its history,
 * the unit of subscription on an edge and the address on the wire between router and edge, so routing needs no second
 * vocabulary.
 */
export type StreamName = string;

export function userStream(topic: string, user: string): StreamName {
  return `${topic}/u/${user}`;
}

/** The user whose own stream it is; null: of no topic's, or not a single user's. */
export function userOfStream(stream: StreamName): string | null {
  return /^[^/]+\/u\/(.*)$/s.exec(stream)?.[1] ?? null;
}

/** Stream of the topic's public messages (audience `topic`). */
export function publicStream(topic: string): StreamName {
  return `${topic}/*`;
}

/** A topic of keys has a stream for each; keys are shaped as user ids are. */
export function keyStream(topic: string, key: string): StreamName {
  return `${topic}/k/${key}`;
}

export function roomStream(room: string): StreamName {
  return `room/${room}`;
}

export function hubStream(hub: string): StreamName {
  return `hub/${hub}`;
}

/** Stream of a room as far as its members came through the hub: what a hub's own callers and members reach. */
export function hubRoomStream(hub: string, room: string): StreamName {
  return `hub/${hub}/room/${room}`;
}

/** Pseudo topic of a hub: `hub/<hub>/u/<user>` is a user's connections in the hub. */
export function hubTopic(hub: string): string {
  return `hub/${hub}`;
}

/** Pseudo topic of a backend: `pipe/<backend>/u/<user>` is what it sends to a user's connection to its endpoint. */
export function pipeTopic(backend: string): string {
  return `pipe/${backend}`;
}

/** Pseudo topic of messages to all of a user's connections. No topic can have this name. */
export const EVERY_CONNECTION = '~';

export function subscriptionStream(id: string): StreamName {
  return `sub/${id}`;
}

/** Place of a client in a stream. Offsets grow by exactly 1; another epoch means that history was lost. */
export interface Position {
  readonly epoch: string;
  readonly offset: number;
}

/** A position together with the stream that it is in. */
export interface StreamPosition extends Position {
  readonly stream: StreamName;
}

/** Amount of a stream that is kept. `latest` keeps the newest message only, whatever `size` says. */
export interface Retention {
  readonly mode: 'ordered' | 'latest';
  /** Number of messages kept in `ordered` mode; a stream without history has no Retention at all. */
  readonly size: number;
  readonly ttlMs: number;
  /**
   * Bytes of the messages kept, without their positions; the newest one is kept whatever its size. 0 or absent: no bound
   * but `size`.
   */
  readonly bytesMax?: number;
}

/** A stream together with what is kept of it, which every history call needs. */
export interface RetainedStream {
  readonly stream: StreamName;
  readonly retention: Retention;
  /**
   * User for `<topic>/u/<user>`, else null. The engine keeps a user's streams beside the user's presence, so that
   * "append and look up" stays one atomic step.
   */
  readonly user: string | null;
}
