import { connect, type Socket } from 'node:net';
import { until } from './test-edge.js';

const PING = 9;
const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';

/** The lines of a well-formed handshake, to be spoilt by the test. */
export function handshakeLines(path = '/ws', overrides: Record<string, string | null> = {}): string[] {
  const headers: Record<string, string | null> = {
    Host: 'localhost',
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': KEY,
    ...overrides,
  };
  const lines = Object.entries(headers).filter(([, value]) => value !== null);
  return [`GET ${path} HTTP/1.1`, ...lines.map(([name, value]) => `${name}: ${value}`)];
}

interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A TCP connection that says what it is told to: for everything a proper client would not do. */
export class RawClient {
  readonly tcp: Socket;
  /** Everything received and not taken yet. */
  received = Buffer.alloc(0);
  /** One for each read: what left in one system call arrives in one. */
  readonly chunks: Buffer[] = [];
  closed = false;

  constructor(port: number, host = '127.0.0.1') {
    this.tcp = connect(port, host);
    this.tcp.on('data', (chunk) => {
      this.chunks.push(chunk);
      this.received = Buffer.concat([this.received, chunk]);
    });
    // What an error means is told by the close that follows.
    this.tcp.on('error', () => (this.closed = true));
    this.tcp.on('close', () => (this.closed = true));
  }

  request(lines: readonly string[], body = ''): void {
    this.tcp.write(`${lines.join('\r\n')}\r\n\r\n${body}`);
  }

  async answer(): Promise<RawAnswer> {
    await until(() => this.#answerEnd() !== -1 || this.closed, 'an answer came');
    const end = this.#answerEnd();
    if (end === -1) throw new Error(`closed after ${JSON.stringify(this.received.toString())}`);
    const headEnd = this.received.indexOf('\r\n\r\n');
    const [statusLine, ...headerLines] = this.received.subarray(0, headEnd).toString().split('\r\n');
    const headers = Object.fromEntries(
      headerLines.map((line) => [
        line.slice(0, line.indexOf(':')).toLowerCase(),
        line.slice(line.indexOf(':') + 1).trim(),
      ]),
    );
    const body = this.received.subarray(headEnd + 4, end).toString();
    this.received = this.received.subarray(end);
    return { status: Number(statusLine!.split(' ')[1]), headers, body };
  }

  /** Completes a handshake; what came behind the 101 is left in `received`. */
  async upgrade(path = '/ws', overrides: Record<string, string | null> = {}): Promise<RawAnswer> {
    this.request(handshakeLines(path, overrides));
    return this.answer();
  }

  frame(opcode: number, payload: Uint8Array | string): void {
    this.tcp.write(clientFrame(opcode, payload));
  }

  /** The frames received so far, but for pings, which come when they like. */
  frames(): { opcode: number; payload: Buffer }[] {
    return serverFrames(this.received).filter(({ opcode }) => opcode !== PING);
  }

  pings(): number {
    return serverFrames(this.received).filter(({ opcode }) => opcode === PING).length;
  }

  async end(): Promise<void> {
    this.tcp.destroy();
    await until(() => this.closed, 'the client was closed');
  }

  #answerEnd(): number {
    const headEnd = this.received.indexOf('\r\n\r\n');
    if (headEnd === -1) return -1;
    const length = /content-length: (\d+)/i.exec(this.received.subarray(0, headEnd).toString())?.[1] ?? '0';
    const end = headEnd + 4 + Number(length);
    return this.received.length >= end ? end : -1;
  }
}

/** Masked with zeros, so the payload stays readable. */
export function clientFrame(opcode: number, payload: Uint8Array | string): Buffer {
  const bytes = Buffer.from(payload);
  const size = bytes.length;
  const head = size < 126 ? Buffer.alloc(6) : size < 65_536 ? Buffer.alloc(8) : Buffer.alloc(14);
  head[0] = 0x80 | opcode;
  if (size < 126) head[1] = 0x80 | size;
  else if (size < 65_536) {
    head[1] = 0x80 | 126;
    head.writeUInt16BE(size, 2);
  } else {
    head[1] = 0x80 | 127;
    head.writeBigUInt64BE(BigInt(size), 2);
  }
  return Buffer.concat([head, bytes]);
}

function serverFrames(bytes: Buffer): { opcode: number; payload: Buffer }[] {
  const frames: { opcode: number; payload: Buffer }[] = [];
  let at = 0;
  while (at + 2 <= bytes.length) {
    const short = bytes[at + 1]!;
    let head = 2;
    let size = short;
    if (short === 126) {
      head = 4;
      if (at + head > bytes.length) break;
      size = bytes.readUInt16BE(at + 2);
    } else if (short === 127) {
      head = 10;
      if (at + head > bytes.length) break;
      size = Number(bytes.readBigUInt64BE(at + 2));
    }
    if (at + head + size > bytes.length) break;
    frames.push({ opcode: bytes[at]! & 0x0f, payload: bytes.subarray(at + head, at + head + size) });
    at += head + size;
  }
  return frames;
}
