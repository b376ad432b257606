/** Receives what a server may send after the handshake, as far as a load client has to know. */
export interface FrameSink {
  /** Gets the payload of a text frame: bytes[start..end), only valid during the call. */
  text(bytes: Buffer, start: number, end: number): void;
  ping(payload: Buffer): void;
  close(code: number, reason: string): void;
  /** Gets what this reader does not understand; it reads nothing after it. */
  invalid(what: string): void;
}

const OPCODE_TEXT = 1;
const OPCODE_CLOSE = 8;
const OPCODE_PING = 9;
const OPCODE_PONG = 10;
const FINAL = 0x80;
const LENGTH_16 = 126;
const LENGTH_64 = 127;
const CLOSE_WITHOUT_CODE = 1005;

/**
 * Reads unmasked, unfragmented frames from a byte stream: one object for each socket, which keeps nothing between whole
 * frames.
 */
export class FrameReader {
  readonly #sink: FrameSink;
  #rest: Buffer | null = null;
  #broken = false;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /** Takes all whole frames. The caller may use `bytes` for something else afterwards. */
  read(bytes: Buffer): void {
    const input = this.#rest === null ? bytes : Buffer.concat([this.#rest, bytes]);
    this.#rest = null;
    let at = 0;
    while (!this.#broken && at < input.length) {
      const next = this.#readFrame(input, at);
      if (next < 0) {
        this.#rest = Buffer.from(input.subarray(at));
        return;
      }
      at = next;
    }
  }

  /** Reads one frame. Returns where the next one begins, or -1 when this one is not whole. */
  #readFrame(input: Buffer, at: number): number {
    if (input.length - at < 2) return -1;
    let length = input[at + 1]!;
    let start = at + 2;
    if (length === LENGTH_16) {
      if (input.length - start < 2) return -1;
      length = input.readUInt16BE(start);
      start += 2;
    } else if (length === LENGTH_64) {
      if (input.length - start < 8) return -1;
      length = Number(input.readBigUInt64BE(start));
      start += 8;
    } else if (length > LENGTH_64) {
      return this.#fail('a masked frame');
    }
    const end = start + length;
    if (end > input.length) return -1;
    this.#dispatch(input, { first: input[at]!, start, end });
    return end;
  }

  #dispatch(input: Buffer, frame: { first: number; start: number; end: number }): void {
    const { first, start, end } = frame;
    switch (first) {
      case FINAL | OPCODE_TEXT:
        this.#sink.text(input, start, end);
        break;
      case FINAL | OPCODE_PING:
        this.#sink.ping(Buffer.from(input.subarray(start, end)));
        break;
      case FINAL | OPCODE_PONG:
        break;
      case FINAL | OPCODE_CLOSE:
        this.#broken = true;
        if (end - start < 2) this.#sink.close(CLOSE_WITHOUT_CODE, '');
        else this.#sink.close(input.readUInt16BE(start), input.toString('utf8', start + 2, end));
        break;
      default:
        this.#fail(`a frame that begins with 0x${first.toString(16)}`);
    }
  }

  #fail(what: string): number {
    this.#broken = true;
    this.#sink.invalid(what);
    return -1;
  }
}

/** Makes a short text frame as a client has to send it. */
export function textFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  if (payload.length > 125) throw new Error('too long a text');
  return maskedFrame(OPCODE_TEXT, payload);
}

/** Makes a pong as a client has to send it. */
export function pongFrame(payload: Buffer): Buffer {
  return maskedFrame(OPCODE_PONG, payload);
}

/** The mask is zero: it costs nothing, and RFC 6455 asks for the bit. */
function maskedFrame(opcode: number, payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from([FINAL | opcode, 0x80 | payload.length, 0, 0, 0, 0]), payload]);
}
