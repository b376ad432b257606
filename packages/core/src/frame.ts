import type { StreamName, StreamPosition } from './streams.js';
import type { Refusal } from './transport.js';

/**
 * Frames to the client (docs/protocol.md), put together from text: a push is encoded once, here, around the producer's own
 * bytes, and never parsed again on its way out.
 */
export interface PushFields {
  /** The topic's name, or what else 2.1 allows; a name, so it needs no escape. */
  readonly event: string;
  /** A name likewise. */
  readonly topic: string;
  /** Key, of a message to a key of the topic. */
  readonly key?: string | undefined;
  readonly id: string;
  readonly type: string;
  readonly timestamp: string;
  /** JSON text, passed through byte for byte. */
  readonly payload: string;
  /** The newest value of the stream is gone. */
  readonly deleted?: boolean;
  /** W3C trace context, where frames say it. */
  readonly traceparent?: string | undefined;
}

/**
 * The head of a push, as PublishItem.head wants it. `user` is null when the message is about nobody in particular.
 * `retainedStream` is the stream when it has history (the engine then appends the position), else null and the frame is
 * whole.
 */
export function pushHead(fields: PushFields, user: string | null, retainedStream: StreamName | null): string {
  return new PushHeads(fields).head(user, retainedStream);
}

/** The heads of one message to many users: what they have in common is put together once. */
export class PushHeads {
  readonly #start: string;
  readonly #end: string;

  constructor(fields: PushFields) {
    const keyMember = fields.key === undefined ? '' : `,"key":${quote(fields.key)}`;
    const traceMember = fields.traceparent === undefined ? '' : `,"traceparent":"${fields.traceparent}"`;
    this.#start =
      `{"rid":-1,"event":"${fields.event}","status":"${fields.deleted ? 'delete' : 'update'}","topic":"${fields.topic}"${keyMember}` +
      `,"id":${quote(fields.id)},"type":${quote(fields.type)}`;
    this.#end = `,"timestamp":${quote(fields.timestamp)}${traceMember},"payload":${fields.payload}`;
  }

  /** See pushHead. */
  head(user: string | null, retainedStream: StreamName | null): string {
    const userMember = user === null ? '' : `,"user_id":${quote(user)}`;
    return this.#start + userMember + this.#end + tail(retainedStream);
  }
}

/** Tells a push that says that the newest value is gone. Events are names, so the first status is the frame's own. */
export function isDeletion(frame: Uint8Array): boolean {
  const bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength);
  const status = bytes.indexOf('"status":');
  return bytes.indexOf('"status":"delete"', status) === status && status >= 0;
}

export interface SubscriptionFields {
  /** A name, so it needs no escape. */
  readonly id: string;
  readonly status: 'update' | 'reload';
  /** JSON text, passed through byte for byte. */
  readonly payload: string;
}

/** The head of a push to a subscription id (format `wss`): four members and no more, as clients of such subscriptions know it. */
export function subscriptionHead(fields: SubscriptionFields, retainedStream: StreamName | null): string {
  const { id, status, payload } = fields;
  return `{"rid":-1,"event":"${id}","status":"${status}","payload":${payload}${tail(retainedStream)}`;
}

function tail(retainedStream: StreamName | null): string {
  return retainedStream === null ? '}' : `,"stream":${quote(retainedStream)},"epoch":"`;
}

/** Longest tail that there is: a name of a topic and a user id of 128 characters, each of them escaped at worst. */
const TAIL_BYTES_MAX = 2048;

/** Quotes in JSON texts are escaped, so no payload can look like this from its first comma on. */
const TAIL = /^,"stream":("(?:[^"\\]|\\.)*"),"epoch":"(\w+)","offset":(\d+)\}$/s;

/** The position that a frame brings; null: its stream has no history, or it is of no stream. */
export function positionIn(frame: Uint8Array): StreamPosition | null {
  const from = Math.max(0, frame.length - TAIL_BYTES_MAX);
  const bytes = Buffer.from(frame.buffer, frame.byteOffset + from, frame.length - from);
  const start = bytes.lastIndexOf(',"stream":"');
  const match = start < 0 ? null : TAIL.exec(bytes.toString('utf8', start));
  if (match === null) return null;
  return { stream: unquote(match[1]!), epoch: match[2]!, offset: Number(match[3]) };
}

/** Longest head that is looked at for the event, in bytes. */
const HEAD_BYTES_MAX = 192;

const HEAD = /^\{"rid":-?\d+,"event":("(?:[^"\\]|\\.)*")/s;

/** The event of a frame: every one begins with its request and its event. */
export function eventIn(frame: Uint8Array): string {
  const bytes = Buffer.from(frame.buffer, frame.byteOffset, Math.min(frame.length, HEAD_BYTES_MAX));
  const match = HEAD.exec(bytes.toString());
  if (match === null) throw new Error('a frame that does not begin with its event');
  return unquote(match[1]!);
}

/** Most texts have no escape, and cutting is far cheaper than JSON.parse. */
function unquote(json: string): string {
  return json.includes('\\') ? (JSON.parse(json) as string) : json.slice(1, -1);
}

export type ResponseStatus = 'ok' | 'error' | 'unauthorized' | 'forbidden';

/** The answer to a request; `event` is the command, or the subscription id it made. */
export function responseFrame(rid: number, event: string, status: ResponseStatus, payload: unknown): string {
  return `{"rid":${rid},"event":${quote(event)},"status":"${status}","payload":${JSON.stringify(payload ?? null)}}`;
}

/** The same around a payload that is JSON text already. */
export function responseTextFrame(rid: number, event: string, status: ResponseStatus, payload: string): string {
  return `{"rid":${rid},"event":${quote(event)},"status":"${status}","payload":${payload}}`;
}

/** Makes the frame with what the backend says now, for a connection whose subscription id was told to reload. */
export function reloadedFrame(id: string, payload: unknown): string {
  return `{"rid":-1,"event":${quote(id)},"status":"reload","payload":${JSON.stringify(payload ?? null)}}`;
}

export interface SentFields {
  readonly event: 'user' | 'room' | 'hub';
  /** User id of the sender. */
  readonly from: string;
  readonly room?: string;
  readonly hub?: string;
  /** JSON text, passed through byte for byte. */
  readonly payload: string;
}

/** The head of a message from one client to others (command `send`). */
export function sentHead(fields: SentFields, retainedStream: StreamName | null): string {
  const { event, from, room, hub, payload } = fields;
  const place =
    (room === undefined ? '' : `,"room":${quote(room)}`) + (hub === undefined ? '' : `,"hub":${quote(hub)}`);
  return `{"rid":-1,"event":"${event}","status":"update","from":${quote(from)}${place},"payload":${payload}${tail(retainedStream)}`;
}

export interface NotificationFields {
  readonly event: 'broadcast' | 'room' | 'private';
  readonly type: string;
  readonly entityId: string;
  readonly room?: string;
  /** JSON text, passed through byte for byte. */
  readonly payload: string;
}

/** The head of a message from a back end by gRPC. */
export function notificationHead(fields: NotificationFields, retainedStream: StreamName | null): string {
  const { event, type, entityId, room, payload } = fields;
  const place = room === undefined ? '' : `,"room":${quote(room)}`;
  return (
    `{"rid":-1,"event":"${event}","status":"update","type":${quote(type)},"entityId":${quote(entityId)}` +
    `,"payload":${payload}${place}${tail(retainedStream)}`
  );
}

/** An error that answers no readable request. */
export function errorFrame(code: string, message: string): string {
  return responseFrame(-1, 'error', 'error', { code, message });
}

/** Tells a client to come back to another node within the given time. */
export function reconnectFrame(reason: string, afterMs: number): string {
  return responseFrame(-1, 'reconnect', 'ok', { reason, after_ms: afterMs });
}

/** Topics, or keys of them, in the form in which commands name them. */
export type NamedTopic = string | { readonly topic: string; readonly keys: readonly string[] };

/** Tells a client what it is not subscribed to any more, because its new token does not allow it. */
export function leftFrame({ topics, rooms }: { topics: readonly NamedTopic[]; rooms: readonly string[] }): string {
  const named = topics.map((topic) => (typeof topic === 'string' ? { topic } : topic));
  return responseFrame(-1, 'left', 'ok', { topics: named, rooms });
}

/** The only frame of a client that is refused after the upgrade; `refusalClose` follows. */
export function refusedFrame({ status, code, message, retryAfterSeconds, details }: Refusal): string {
  const afterMs = retryAfterSeconds === undefined ? {} : { after_ms: retryAfterSeconds * 1000 };
  return responseFrame(-1, 'refused', 'error', { code, message, http: status, ...details, ...afterMs });
}

/** The first frame after the upgrade. */
export function connectedFrame(payload: ConnectedPayload): string {
  return responseFrame(-1, 'connected', 'ok', payload);
}

export interface ConnectedPayload {
  readonly connection: string;
  readonly node: string;
  /** User; null: a guest. */
  readonly user: string | null;
  readonly heartbeat_ms: number;
  /** Time in ms over which the clients of this node should spread their return when it is gone. */
  readonly reconnect_spread_ms: number;
  readonly topics: readonly ConnectedTopic[];
}

export interface ConnectedTopic extends ConnectedStream {
  readonly topic: string;
  /** Key of a topic of keys, which has a row for each. */
  readonly key?: string;
  readonly public?: ConnectedStream;
}

/** Members are absent for topics without history, the last two when the client gave no position. */
export interface ConnectedStream {
  readonly stream?: StreamName;
  readonly epoch?: string;
  readonly offset?: number;
  readonly recovered?: boolean;
  readonly replayed?: number;
}

/**
 * Matches what JSON text cannot carry as it is: quote, backslash, C0 controls; and lone surrogates, which UTF-8 cannot
 * carry.
 */
// oxlint-disable-next-line no-control-regex -- JSON's rule is about these very characters
const NEEDS_ESCAPE = /["\\\u0000-\u001f\ud800-\udfff]/;

/** JSON text of a string. Nearly all ids and names need no escape, and testing is far cheaper than JSON.stringify. */
export function quote(text: string): string {
  return NEEDS_ESCAPE.test(text) ? JSON.stringify(text) : `"${text}"`;
}
