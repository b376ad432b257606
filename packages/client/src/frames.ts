import type { Refused } from './refusal.js';

/** Frames of the gateway, one JSON object each. */

/** A push. Member names are those of the wire. */
export interface Message<Payload = unknown> {
  readonly rid: -1;
  /** The topic, a subscription id, or `room`, `hub`, `user`, `broadcast`, `private`. */
  readonly event: string;
  /** `delete`: the newest value of the stream is gone, and the payload null. */
  readonly status: 'update' | 'reload' | 'delete';
  readonly payload: Payload;
  readonly topic?: string;
  /** Key, of a topic of keys. */
  readonly key?: string;
  readonly id?: string;
  readonly type?: string;
  readonly user_id?: string;
  readonly timestamp?: string;
  /** The last three are absent where no history is kept. */
  readonly stream?: string;
  readonly epoch?: string;
  readonly offset?: number;
  /** Sender of a message that clients send one another. */
  readonly from?: string;
  readonly room?: string;
  readonly hub?: string;
  readonly entityId?: string;
}

/** The gateway's word about one stream: absent members mean that it keeps no history. */
export interface JoinedStream {
  readonly stream?: string;
  readonly epoch?: string;
  readonly offset?: number;
  /** Absent when no position was asked for. */
  readonly recovered?: boolean;
  readonly replayed?: number;
}

export interface JoinedTopic extends JoinedStream {
  readonly topic: string;
  /** Key of a topic of keys, which has a row for each. */
  readonly key?: string;
  /** The topic's public messages. */
  readonly public?: JoinedStream;
}

export interface JoinedRoom extends JoinedStream {
  readonly room: string;
}

/** Payload of the first frame of a connection. */
export interface Connected {
  readonly connection: string;
  readonly node: string;
  /** User; null: a guest. */
  readonly user: string | null;
  readonly heartbeat_ms: number;
  readonly topics: readonly JoinedTopic[];
  /** Clients that lose this node come back spread over so many ms; absent: 2,000. */
  readonly reconnect_spread_ms?: number;
}

/** Payload of `left`: what a new token does not allow any more. */
export interface Left {
  readonly topics: readonly { readonly topic: string; readonly keys?: readonly string[] }[];
  readonly rooms: readonly string[];
}

export interface Frame {
  readonly rid: number;
  readonly event: string;
  readonly status: string;
  readonly payload: unknown;
}

/** Reads a frame; null: it is none of the gateway's. */
export function asFrame(value: unknown): Frame | null {
  if (!isRecord(value)) return null;
  const { rid, event, status } = value;
  if (typeof rid !== 'number' || typeof event !== 'string' || typeof status !== 'string') return null;
  return value as unknown as Frame;
}

const MESSAGE_STATUSES = /^(update|reload|delete)$/;

/** Tells messages by their status, not by event: a topic may be called `connected` as well. */
export function isMessage(frame: Frame): frame is Message & Frame {
  return frame.rid === -1 && MESSAGE_STATUSES.test(frame.status);
}

/** Payloads of what the gateway says of the connection itself, by event. */
interface Notices {
  readonly connected: Connected;
  readonly reconnect: { readonly after_ms?: unknown };
  readonly refused: Refused;
}

export function isNotice<Event extends keyof Notices>(
  frame: Frame,
  event: Event,
  status = 'ok',
): frame is Frame & { readonly payload: Notices[Event] } {
  return frame.rid === -1 && frame.event === event && frame.status === status && isRecord(frame.payload);
}

/** The name of a topic, or of a key of one, which is called as its stream is: `quotes/k/AAPL`. */
export function nameIn({ topic, key }: { readonly topic?: string; readonly key?: string | undefined }): string {
  return key ? `${topic}/k/${key}` : topic!;
}

/** Topic and key in such a name; no key in that of a topic. */
export function splitName(name: string): [topic: string, key?: string] {
  return name.split(/\/k\/(.*)/s) as [string, string?];
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
