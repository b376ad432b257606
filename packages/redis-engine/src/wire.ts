import type { Inbox, NodeCommand, Position, StreamMessage } from '@ws-gateway/core';

/**
 * The bytes that scripts write and nodes read: a message is a header and a body.
 *
 * Header: `kind \t stream \t recordTimeMs \t tail`, kind being m (message), a (to all) or c (command). Behind an m stands
 * the connection that must not get it, if there is one. The tail is empty or `<epoch>","offset":<offset>}`: what
 * completes the frame behind the body. Scripts don't do it, because joining them there costs more than anything else
 * about a message. Names hold no control characters, so nothing needs escaping.
 *
 * In a stream's history a message is its times, `recordTimeMs \t acceptTimeMs`, and its body; the rest follows from its
 * place.
 */
const TAB = 9;
const QUOTE = 34;
const BRACE = 125;
const ZERO = 48;
const KIND_MESSAGE = 109;
const KIND_ALL = 97;
const BEHIND_EPOCH = '","offset":'.length;

/** Hands messages to an inbox. One message object serves all; of the header only stream and epoch become strings. */
export class MessageDecoder {
  readonly #header = new Header();
  readonly #message: StreamMessage = {
    stream: '',
    epoch: '',
    offset: 0,
    recordTimeMs: 0,
    frame: new Uint8Array(),
    except: '',
  };

  decode(headerBytes: Buffer, body: Buffer, inbox: Inbox): void {
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
      message.frame = frameOf(headerBytes, header.tailAt, body);
      inbox.deliver(message);
    } else if (kind === KIND_ALL) {
      inbox.broadcast(body);
    } else {
      inbox.command(JSON.parse(body.toString()) as NodeCommand);
    }
  }
}

/** A message of the history, which is the caller's to keep. `except` counts for live messages only. */
export function decodeEntry(times: Buffer, body: Buffer, at: { stream: string } & Position): StreamMessage {
  const tail = Buffer.from(`${at.epoch}","offset":${at.offset}}`);
  const recordTimeMs = Number.parseInt(times.toString('latin1'), 10);
  return { ...at, recordTimeMs, frame: Buffer.concat([body, tail]), except: '' };
}

function frameOf(header: Buffer, tailAt: number, body: Buffer): Buffer {
  if (tailAt === header.length) return body;
  const frame = Buffer.allocUnsafe(body.length + header.length - tailAt);
  frame.set(body, 0);
  header.copy(frame, body.length, tailAt);
  return frame;
}

class Header {
  except = '';
  stream = '';
  epoch = '';
  offset = 0;
  recordTimeMs = 0;
  tailAt = 0;

  read(bytes: Buffer): void {
    let at = 1;
    while (bytes[at] !== TAB) at++;
    this.except = at === 1 ? '' : bytes.toString('latin1', 1, at);
    const streamAt = ++at;
    // Names are nearly always ASCII, and that is three times as fast to turn into a string.
    let bits = 0;
    for (; bytes[at] !== TAB; at++) bits |= bytes[at]!;
    this.stream = bits < 0x80 ? bytes.toString('latin1', streamAt, at) : bytes.toString('utf8', streamAt, at);
    let number = 0;
    for (at++; bytes[at] !== TAB; at++) number = number * 10 + bytes[at]! - ZERO;
    this.recordTimeMs = number;
    this.tailAt = ++at;
    this.epoch = '';
    this.offset = 0;
    if (at === bytes.length) return;
    while (bytes[at] !== QUOTE) at++;
    this.epoch = bytes.toString('latin1', this.tailAt, at);
    number = 0;
    for (at += BEHIND_EPOCH; bytes[at] !== BRACE; at++) number = number * 10 + bytes[at]! - ZERO;
    this.offset = number;
  }
}
