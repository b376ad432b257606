import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { WebSocket, type RawData } from 'ws';

export interface WsClientOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly protocols?: readonly string[];
  /** Time limit in ms of the handshake, 20 seconds by default. */
  readonly timeoutMs?: number;
}

/** A frame as JSON. Tests look into it freely, so its members are not typed. */
export type Frame = Readonly<Record<string, unknown>>;

/** The HTTP answer to a handshake that was refused. */
export interface Refused {
  readonly status: number;
  readonly headers: Readonly<IncomingMessage['headers']>;
  /** Body: parsed when it is JSON, else the text. */
  readonly body: unknown;
}

export class WsRefusedError extends Error {
  override readonly name = 'WsRefusedError';
  readonly refused: Refused;

  constructor(refused: Refused) {
    super(`handshake refused with ${refused.status}: ${JSON.stringify(refused.body)}`);
    this.refused = refused;
  }
}

export interface Closed {
  readonly code: number;
  readonly reason: string;
}

const TIMEOUT_MS = 20_000;

/** A WebSocket client that keeps all it gets, over an implementation that is not the server's. */
export class WsClient {
  /** Every frame since the upgrade: `frames` as JSON, `texts` as the text it came in. */
  readonly frames: Frame[] = [];
  readonly texts: string[] = [];
  /** Resolves with the close, whichever side began it. */
  readonly closed: Promise<Closed>;
  /** Number of pings that came. */
  pings = 0;
  readonly #socket: WebSocket;
  #nextFrame = 0;
  #nextRid = 1;
  #changed: () => void = () => undefined;
  #close: Closed | null = null;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    // The client listens before the upgrade is complete: the first frame may arrive in the same packet as the 101.
    socket.on('message', (data) => this.#received(data));
    socket.on('ping', () => void this.pings++);
    // `close` follows each error and tells all there is to tell.
    socket.on('error', () => undefined);
    this.closed = new Promise((resolve) => {
      socket.once('close', (code, reason) => {
        this.#close = { code, reason: reason.toString() };
        resolve(this.#close);
        this.#changed();
      });
    });
  }

  /** Resolves when the socket is open; rejects with WsRefusedError when the server answers by HTTP. */
  static async open(url: string, options: WsClientOptions = {}): Promise<WsClient> {
    const { headers = {}, protocols = [], timeoutMs = TIMEOUT_MS } = options;
    const socket = new WebSocket(url, [...protocols], { headers, handshakeTimeout: timeoutMs });
    const client = new WsClient(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
      socket.once('unexpected-response', (request, response) => {
        readRefusal(response).then((refused) => reject(new WsRefusedError(refused)), reject);
        response.once('close', () => request.destroy());
      });
    });
    return client;
  }

  /** Resolves with the refusal of a handshake, and rejects when the socket opens. */
  static async refused(url: string, options: WsClientOptions = {}): Promise<Refused> {
    let client: WsClient;
    try {
      client = await WsClient.open(url, options);
    } catch (error) {
      if (error instanceof WsRefusedError) return error.refused;
      throw error;
    }
    client.terminate();
    throw new Error(`the handshake was accepted: ${url}`);
  }

  get protocol(): string {
    return this.#socket.protocol;
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  /**
   * Resolves with the next frame that fits, after the one that `next` gave last; it passes over those in between. A
   * text stands for the frame's `event`. Rejects when the time is over or the socket closes first.
   */
  async next(wanted: string | ((frame: Frame) => boolean) = () => true, timeoutMs = TIMEOUT_MS): Promise<Frame> {
    const fits = typeof wanted === 'string' ? (frame: Frame): boolean => frame['event'] === wanted : wanted;
    const first = this.#nextFrame;
    const deadline = Date.now() + timeoutMs;
    while (true) {
      while (this.#nextFrame < this.frames.length) {
        const frame = this.frames[this.#nextFrame++]!;
        if (fits(frame)) return frame;
      }
      if (this.#close !== null || !(await this.#change(deadline - Date.now()))) {
        const why =
          this.#close === null ? `within ${timeoutMs} ms` : `before the close (${JSON.stringify(this.#close)})`;
        throw new Error(`no such frame ${why}: ${wanted.toString()}; got ${this.texts.slice(first).join('\n')}`);
      }
    }
  }

  /** Sends a command and resolves with its answer. */
  async request(command: string, options: Readonly<Record<string, unknown>> = {}): Promise<Frame> {
    const rid = this.#nextRid++;
    this.send({ rid, command, options });
    return this.next((frame) => frame['rid'] === rid);
  }

  /** Sends a text as it is, bytes as a binary frame, and anything else as JSON. */
  send(message: unknown): void {
    const raw = typeof message === 'string' || message instanceof Uint8Array;
    this.#socket.send(raw ? message : JSON.stringify(message));
  }

  /** Sends a text frame of these bytes, whether they are UTF-8 or not. */
  sendTextBytes(bytes: Uint8Array): void {
    this.#socket.send(bytes, { binary: false });
  }

  /** Stops reading, so that the server's buffers fill: a slow consumer. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  async close(code = 1000, reason = ''): Promise<Closed> {
    this.#socket.close(code, reason);
    return this.closed;
  }

  /** Ends the connection without a close frame, as a lost network does. */
  terminate(): void {
    this.#socket.terminate();
  }

  #received(data: RawData): void {
    const text = (data as Buffer).toString();
    this.texts.push(text);
    this.frames.push(parse(text) as Frame);
    this.#changed();
  }

  /** Resolves with false when nothing happened in time. */
  #change(timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), Math.max(0, timeoutMs));
      const before = this.#changed;
      this.#changed = () => {
        this.#changed = before;
        clearTimeout(timer);
        resolve(true);
        before();
      };
    });
  }
}

async function readRefusal(response: IncomingMessage): Promise<Refused> {
  const chunks: Buffer[] = [];
  response.on('data', (chunk: Buffer) => chunks.push(chunk));
  if (!response.complete) await once(response, 'end');
  return { status: response.statusCode ?? 0, headers: response.headers, body: parse(Buffer.concat(chunks).toString()) };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not JSON: a test that expects JSON will fail on the text itself, which says more than a syntax error.
    return text;
  }
}
