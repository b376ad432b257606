import { createHash, randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { FrameReader, pongFrame, textFrame } from './frame-reader.js';

/** Listens to all sockets of a process: it is one object, so that a socket needs no closures of its own. */
export interface SocketListener {
  /** Gets a frame: bytes[start..end), only valid during the call. */
  frame(socket: LoadSocket, bytes: Buffer, frame: { start: number; end: number }): void;
  /** Called once for a socket, whichever side ended it. `why` is for people. */
  closed(socket: LoadSocket, why: string): void;
}

export interface SocketTarget {
  readonly host: string;
  readonly port: number;
  /** Path and query of the handshake. */
  readonly path: string;
  readonly token: string;
  /** false: the server is not asked to tell refusals by a frame. Default true. */
  readonly readsRefusals?: boolean | undefined;
}

/** Key of all handshakes. Any value will do, as it only proves that the answer is not from a cache. */
const KEY = randomBytes(16).toString('base64');
const ACCEPT = createHash('sha1').update(`${KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
/** Beginning of the one frame of a socket that is refused after its upgrade. */
const REFUSED = Buffer.from('{"rid":-1,"event":"refused",');
const HEAD_END = Buffer.from('\r\n\r\n');
const HEAD_BYTES_MAX = 64 * 1024;

/**
 * Buffer that all sockets share: the loop reads one of them into it and calls back at once, before it reads the next.
 * This saves an allocation of 64 KiB for each read.
 */
const sharedBuffer = Buffer.allocUnsafe(64 * 1024);

/** A WebSocket client that does no more than a load test needs: handshake, text frames, pongs. */
export class LoadSocket {
  /** Number of its user. */
  readonly user: number;
  readonly #listener: SocketListener;
  readonly #socket: Socket;
  /** Reader of frames; null: frames are not looked at. */
  #reader: FrameReader | null;
  /** Answer to the handshake so far; null when it is complete. */
  #head: Buffer | null = Buffer.alloc(0);
  #closed = false;
  /** A frame came. */
  #admitted = false;
  #bytesReceived = 0;

  constructor(user: number, target: SocketTarget, listener: SocketListener) {
    this.user = user;
    this.#listener = listener;
    this.#reader = new FrameReader({
      text: (bytes, start, end) => this.#frame(bytes, { start, end }),
      ping: (payload) => void this.#socket.write(pongFrame(payload)),
      close: (code, reason) => this.#end(`close ${code} ${reason}`),
      invalid: (what) => this.#end(`protocol error: ${what}`),
    });
    const { host, port } = target;
    const callback = (length: number): boolean => {
      this.#receive(sharedBuffer.subarray(0, length));
      return true;
    };
    this.#socket = connect({ host, port, noDelay: true, onread: { buffer: sharedBuffer, callback } });
    this.#socket.once('error', (error) => this.#end(error.message));
    this.#socket.once('close', () => this.#end('the connection ended'));
    this.#socket.write(request(target));
  }

  /** Number of bytes that came behind the answer to the handshake. */
  get bytesReceived(): number {
    return this.#bytesReceived;
  }

  /** Sends a text of at most 125 bytes. */
  send(text: string): void {
    this.#socket.write(textFrame(text));
  }

  /** Counts bytes and nothing else from the next read on: very many sockets then cost little. Pings stay unanswered. */
  countOnly(): void {
    this.#reader = null;
  }

  /** Reads nothing any more, and stays open: what is sent to it fills the buffers on the way. */
  stall(): void {
    this.#socket.pause();
  }

  /** Cuts the connection without telling the listener. */
  destroy(): void {
    this.#closed = true;
    this.#socket.destroy();
  }

  #receive(bytes: Buffer): void {
    if (this.#closed) return;
    if (this.#head === null) this.#read(bytes);
    else this.#readHead(Buffer.concat([this.#head, bytes]));
  }

  #read(bytes: Buffer): void {
    this.#bytesReceived += bytes.length;
    this.#reader?.read(bytes);
  }

  #frame(bytes: Buffer, place: { start: number; end: number }): void {
    const first = !this.#admitted;
    this.#admitted = true;
    if (first && bytes.compare(REFUSED, 0, REFUSED.length, place.start, place.start + REFUSED.length) === 0) {
      this.#end(`refused: ${bytes.toString('utf8', place.start, place.end)}`);
    } else {
      this.#listener.frame(this, bytes, place);
    }
  }

  #readHead(head: Buffer): void {
    this.#head = head;
    const end = head.indexOf(HEAD_END);
    if (end < 0) {
      if (head.length > HEAD_BYTES_MAX) this.#end('an endless answer to the handshake');
      return;
    }
    const text = head.toString('latin1', 0, end);
    if (!text.startsWith('HTTP/1.1 101') || !text.includes(ACCEPT)) {
      this.#end(`refused: ${head.toString('utf8').replaceAll('\r\n', ' ')}`);
      return;
    }
    this.#head = null;
    if (head.length > end + HEAD_END.length) this.#read(head.subarray(end + HEAD_END.length));
  }

  #end(why: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.destroy();
    this.#listener.closed(this, why);
  }
}

function request({ host, port, path, token, readsRefusals = true }: SocketTarget): string {
  return (
    `GET ${path} HTTP/1.1\r\nHost: ${host}:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
    `${readsRefusals ? 'Sec-WebSocket-Protocol: wsg.v1\r\n' : ''}` +
    `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\nAuthorization: Bearer ${token}\r\n\r\n`
  );
}
