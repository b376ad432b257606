import type { StreamName } from '../streams.js';

/** What the beginning of a frame says of its message. */
export interface PushedMessage {
  /** The topic, or what else its event says (`room`, `private`, …). */
  readonly topic: string;
  /** null: messages of its kind have no id. */
  readonly id: string | null;
}

/** Bytes of a frame that its names and its id are in. */
const HEAD_BYTES = 2048;
const TAIL_BYTES = 1024;
const JSON_TEXT = String.raw`"(?:[^"\\]|\\.)*"`;
const HEAD = new RegExp(
  String.raw`^\{"rid":-1,"event":"([^"]*)","status":"(?:update|delete|reload)"` +
    `(?:,"topic":"[^"]*"(?:,"key":${JSON_TEXT})?,"id":(${JSON_TEXT}))?`,
);
const TAIL = new RegExp(`"stream":(${JSON_TEXT}),"epoch":"([^"]*)","offset":(\\d+)\\}$`);

/** Reads the beginning of a frame; null for what is no message, such as an answer. */
export function pushedMessage(frame: Uint8Array | string): PushedMessage | null {
  const match = HEAD.exec(typeof frame === 'string' ? frame : textOf(frame, 0, HEAD_BYTES));
  if (match === null) return null;
  return { topic: match[1]!, id: match[2] === undefined ? null : (JSON.parse(match[2]) as string) };
}

/** Where a frame is in its stream; null for one of a stream without history. */
export function placeOf(frame: Uint8Array): { stream: StreamName; offset: number } | null {
  const match = TAIL.exec(textOf(frame, Math.max(0, frame.length - TAIL_BYTES), frame.length));
  return match === null ? null : { stream: JSON.parse(match[1]!) as string, offset: Number(match[3]) };
}

function textOf(frame: Uint8Array, from: number, to: number): string {
  return Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength).toString(
    'utf8',
    from,
    Math.min(to, frame.length),
  );
}
