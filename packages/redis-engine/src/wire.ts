import { crc32 } from 'node:zlib';
import { serverOf } from './epoch.js';
import {
  isNodeCommand,
  ofNoRecord,
  type EngineStats,
  type Inbox,
  type Position,
  type SourceRange,
  type StreamMessage,
} from '@ws-gateway/core';
import { sourceName } from './keys.js';
import type { Origin, RecentRecords } from './recent-records.js';

/**
 * The bytes that scripts write and nodes read: a message is a header and a body.
 *
 * Header: `kind \t stream \t origin \t tail`, kind being m (message), a (to all) or c (command). Behind an m stands the
 * connection that must not get it, if there is one, and behind a space the trace context, if there is one. The origin is `<recordTimeMs>`, and for what comes from a source
 * `<recordTimeMs> <number of topic and partition> <offset>`, with `!` for the first space when it is a repetition (see
 * RecentRecords). The tail is empty or `<epoch>","offset":<offset>}`: what
 * completes the frame behind the body. Scripts don't do it, because joining them there costs more than anything else
 * about a message. Names hold no control characters, so nothing needs escaping.
 *
 * In a stream's history a message is its times, `origin \t acceptTimeMs`, and its body; the rest follows from its
 * place. One whose life ends has `origin \t endsAtMs \t acceptTimeMs`.
 */
const TAB = 9;
const NEWLINE = 10;
const QUOTE = 34;
const BRACE = 125;
const SPACE = 32;
const REPEATED = 33;
const ZERO = 48;
const KIND_MESSAGE = 109;
const KIND_ALL = 97;
const KIND_COMMAND = 99;
const KIND_BEHIND_SHARED = 115;
const BEHIND_EPOCH = '","offset":'.length;

/** A batch is announced whole up to so many messages and bytes. Scripts get them in place of their names (scripts.ts). */
export const announcementLimits = { ANNOUNCED_MESSAGES_MAX: 8, ANNOUNCED_BYTES_MAX: 8192 } as const;

/** Stands before the messages of a batch in an inbox, as a header; its body is the number of the shared log's newest batch. */
export const BEHIND_SHARED = 's';

/** The number of the batch in the shared log that a batch in an inbox came behind; 0: it does not say. */
export function sharedNumberIn([header, body]: readonly Buffer[]): number {
  return saysNumber(header) ? Number(body!.toString('latin1')) : 0;
}

/** The messages of a batch. */
export function messagesIn(parts: readonly Buffer[]): readonly Buffer[] {
  return saysNumber(parts[0]) ? parts.slice(2) : parts;
}

export function isAnnouncedWhole(messages: number, bytes: number): boolean {
  return messages <= announcementLimits.ANNOUNCED_MESSAGES_MAX && bytes <= announcementLimits.ANNOUNCED_BYTES_MAX;
}

/**
 * An announcement is the id of a batch and, when that is small, the lengths of its parts, a line break and the parts:
 * `<id> <length> …\n<header><body>…`.
 */
export function readAnnouncement(bytes: Buffer): { id: string; parts: Buffer[] | null } {
  let at = bytes.indexOf(NEWLINE);
  if (at < 0) return { id: bytes.toString('latin1'), parts: null };
  const [id, ...lengths] = bytes.toString('latin1', 0, at).split(' ');
  at++;
  return { id: id!, parts: lengths.map((length) => bytes.subarray(at, (at += Number(length)))) };
}

/** Makes the part that the origins of one call have in common: all that stands behind their times but the offset. */
export function originSuffix(source: SourceRange | null): string {
  if (source === null) return '';
  const number = crc32(sourceName(source.topic, source.partition));
  return `${source.repeated === true ? '!' : ' '}${number} `;
}

/** Hands messages to the inbox. One message object serves all; of the header only stream and epoch become strings. */
export class MessageDecoder {
  readonly #inbox: Inbox;
  readonly #recent: RecentRecords;
  readonly #stats: EngineStats;
  readonly #header = new Header();
  readonly #message: StreamMessage = {
    stream: '',
    epoch: '',
    offset: 0,
    recordTimeMs: 0,
    frame: new Uint8Array(),
    except: '',
    ...ofNoRecord,
    seen: false,
  };

  constructor(inbox: Inbox, recent: RecentRecords, stats: EngineStats) {
    this.#inbox = inbox;
    this.#recent = recent;
    this.#stats = stats;
  }

  /** The message whose header is at this place of a batch. `server`: the Redis process that made the batch. */
  decode(parts: readonly Buffer[], at: number, server: number): void {
    const inbox = this.#inbox;
    const headerBytes = parts[at]!;
    const body = parts[at + 1]!;
    this.#header.server = server;
    const kind = headerBytes[0];
    if (kind === KIND_MESSAGE) {
      const header = this.#header;
      const message = this.#message;
      header.read(headerBytes);
      message.stream = header.stream;
      message.epoch = header.epoch;
      message.offset = header.offset;
      message.recordTimeMs = header.recordTimeMs;
      message.except = header.except;
      message.trace = header.trace;
      message.source = header.source;
      message.sourceOffset = header.sourceOffset;
      message.seen = this.#isSeen();
      message.frame = frameOf(headerBytes, header.tailAt, body);
      inbox.deliver(message);
    } else if (kind === KIND_ALL) {
      this.#header.read(headerBytes);
      if (!this.#isSeen()) inbox.broadcast(body);
    } else {
      this.#command(kind, body);
    }
  }

  /** A newer node may say what this release does not know, during a roll-out. */
  #command(kind: number | undefined, body: Buffer): void {
    const command: unknown = kind === KIND_COMMAND ? JSON.parse(body.toString()) : null;
    if (isNodeCommand(command)) this.#inbox.command(command);
    else this.#stats.unknownMessages++;
  }

  /** Notes the message in the header when it is not. */
  #isSeen(): boolean {
    const { source, repeated, stream } = this.#header;
    if (source === 0) return false;
    if (repeated && this.#recent.cameBefore(stream, this.#header)) return true;
    this.#recent.add(stream, this.#header);
    return false;
  }
}

/** A message of the history, which is the caller's to keep. `except` counts for live messages only. */
export function decodeEntry(
  [times, body]: readonly [Buffer, Buffer],
  at: { stream: string } & Position,
  recent: RecentRecords,
): StreamMessage {
  const tail = Buffer.from(`${at.epoch}","offset":${at.offset}}`);
  const [origin, ...behind] = times.toString('latin1').split('\t');
  const endsAtMs = behind.length > 1 ? Number(behind[0]) : 0;
  const [recordTimeMs = 0, source = 0, sourceOffset = 0] = origin!.split(/[ !]/).map(Number);
  const server = serverOf(at.epoch);
  const seen = source !== 0 && recent.cameBefore(at.stream, { server, source, sourceOffset, recordTimeMs });
  const acceptedMs = Number(behind.at(-1));
  const frame = Buffer.concat([body, tail]);
  return { ...at, recordTimeMs, frame, except: '', source, sourceOffset, acceptedMs, seen, endsAtMs };
}

function saysNumber(header: Buffer | undefined): boolean {
  return header?.length === 1 && header[0] === KIND_BEHIND_SHARED;
}

function frameOf(header: Buffer, tailAt: number, body: Buffer): Buffer {
  if (tailAt === header.length) return body;
  const frame = Buffer.allocUnsafe(body.length + header.length - tailAt);
  frame.set(body, 0);
  header.copy(frame, body.length, tailAt);
  return frame;
}

class Header implements Origin {
  server = 0;
  except = '';
  trace = '';
  stream = '';
  epoch = '';
  offset = 0;
  recordTimeMs = 0;
  /** Source; 0: not from a source. */
  source = 0;
  sourceOffset = 0;
  repeated = false;
  tailAt = 0;

  read(bytes: Buffer): void {
    let at = 1;
    while (bytes[at] !== TAB) at++;
    this.except = at === 1 ? '' : bytes.toString('latin1', 1, at);
    this.trace = '';
    if (at !== 1) this.#splitTrace();
    const streamAt = ++at;
    // Names are nearly always ASCII, and that is three times as fast to turn into a string.
    let bits = 0;
    for (; bytes[at] !== TAB; at++) bits |= bytes[at]!;
    this.stream = bits < 0x80 ? bytes.toString('latin1', streamAt, at) : bytes.toString('utf8', streamAt, at);
    at = this.#readOrigin(bytes, at + 1);
    this.tailAt = ++at;
    this.epoch = '';
    this.offset = 0;
    if (at === bytes.length) return;
    while (bytes[at] !== QUOTE) at++;
    this.epoch = bytes.toString('latin1', this.tailAt, at);
    let number = 0;
    for (at += BEHIND_EPOCH; bytes[at] !== BRACE; at++) number = number * 10 + bytes[at]! - ZERO;
    this.offset = number;
  }

  #splitTrace(): void {
    const space = this.except.indexOf(' ');
    if (space < 0) return;
    this.trace = this.except.slice(space + 1);
    this.except = this.except.slice(0, space);
  }

  /** Returns where it ends. */
  #readOrigin(bytes: Buffer, start: number): number {
    let at = start;
    let number = 0;
    for (; bytes[at]! >= ZERO; at++) number = number * 10 + bytes[at]! - ZERO;
    this.recordTimeMs = number;
    this.source = 0;
    if (bytes[at] === TAB) return at;
    this.repeated = bytes[at] === REPEATED;
    number = 0;
    for (at++; bytes[at] !== SPACE; at++) number = number * 10 + bytes[at]! - ZERO;
    this.source = number;
    number = 0;
    for (at++; bytes[at] !== TAB; at++) number = number * 10 + bytes[at]! - ZERO;
    this.sourceOffset = number;
    return at;
  }
}
