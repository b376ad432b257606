import {
  Backoff,
  type BackendLinkStats,
  type CloseReason,
  type Logger,
  type PipeClient,
  type PipeHost,
} from '@ws-gateway/core';
import { WebSocket, type RawData } from 'ws';
import { ActionQueue } from './action-queue.js';
import { EventQueue, eventText } from './event-queue.js';
import type { LinkSettings, WsBackend } from './options.js';

const RECONNECT_FIRST_MS = 200;
/** Written in one turn of the loop: a long queue must not hold up this node's sockets. */
const EVENTS_PER_TURN = 128;

/** Answers beyond this are dropped: the backend asks for nonsense and doesn't read what it is told. */
const UNREAD_BYTES_MAX = 1024 * 1024;

/** A link that lived so long was a good one; one that ends sooner is tried again ever more slowly. */
const STABLE_MS = 5_000;

const CLOSE_MS = 1_000;

interface LinkDeps {
  readonly stats: BackendLinkStats;
  readonly logger: Logger;
}

/**
 * The link to one backend, made again whenever it breaks. Events are written in order; one that the kernel has not taken
 * when the link breaks is written to the next link, and what it has taken is never written again.
 */
export class BackendLink {
  readonly #backend: WsBackend;
  readonly #stats: BackendLinkStats;
  readonly #logger: Logger;
  readonly #settings: LinkSettings;
  readonly #queue: EventQueue;
  readonly #actions: ActionQueue;
  readonly #backoff: Backoff;
  readonly #decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  #host: PipeHost | null = null;
  /** The socket while it is open. */
  #socket: WebSocket | null = null;
  /** The same, or one that is being opened. */
  #attempt: WebSocket | null = null;
  #error: Error | null = null;
  /** The last attempt failed, or the link broke. */
  #lost = false;
  #alive = false;
  #openedMs = 0;
  #writing = false;
  #inTurn = 0;
  #retry: NodeJS.Timeout | null = null;
  #heartbeat: NodeJS.Timeout | null = null;
  #stopping = false;
  #onQuiet: () => void = () => undefined;

  constructor(backend: WsBackend, deps: LinkDeps, settings: LinkSettings) {
    this.#backend = backend;
    this.#stats = deps.stats;
    this.#logger = deps.logger;
    this.#settings = settings;
    this.#queue = new EventQueue(deps.stats, backend, (client) => this.#host?.overflowed(backend.name, client));
    // All of it is random: all nodes lose a back end at the same moment, and must not come back to it at the same moment.
    this.#backoff = new Backoff({ firstMs: RECONNECT_FIRST_MS, maxMs: settings.reconnectMsMax, jitter: 1 });
    this.#actions = new ActionQueue({
      perform: (actions) => this.#perform(actions),
      onRoom: () => this.#socket?.resume(),
    });
  }

  start(host: PipeHost): void {
    this.#host = host;
    this.#heartbeat = setInterval(() => this.#beat(), this.#settings.heartbeatMs);
    this.#connect();
  }

  get accepts(): boolean {
    return !(this.#lost && this.#backend.closeOnLoss);
  }

  opened(client: PipeClient): boolean {
    return this.#queue.open(client) && this.#pump();
  }

  message(client: PipeClient, message: string): boolean {
    return this.#queue.message(client, message) && this.#pump();
  }

  closed(client: PipeClient, close: CloseReason): void {
    this.#queue.close(client, close);
    this.#pump();
  }

  async close(): Promise<void> {
    this.#stopping = true;
    if (this.#retry !== null) clearTimeout(this.#retry);
    if (this.#heartbeat !== null) clearInterval(this.#heartbeat);
    await this.#flush();
    if (this.#queue.length > 0) this.#logger.warn('backend was not told everything', { events: this.#queue.length });
    const attempt = this.#attempt;
    if (attempt === null) return;
    const closed = this.#quiet(() => this.#attempt === null, CLOSE_MS);
    if (this.#socket === null) attempt.terminate();
    else attempt.close(1001, 'gateway stopped');
    await closed;
    attempt.terminate();
  }

  #connect(): void {
    this.#retry = null;
    this.#error = null;
    const socket = new WebSocket(this.#backend.url, {
      handshakeTimeout: this.#settings.handshakeTimeoutMs,
      maxPayload: this.#settings.maxMessageBytes,
      perMessageDeflate: false,
      // Text that is no UTF-8 is a bad action, which must not end the link: it is looked at below.
      skipUTF8Validation: true,
    });
    this.#attempt = socket;
    // `close` follows each error.
    socket.on('error', (error) => (this.#error = error));
    socket.on('open', () => this.#connected(socket));
    socket.on('message', (data) => this.#received(socket, data));
    socket.on('pong', () => (this.#alive = true));
    socket.on('close', (code, reason) => this.#disconnected(code, reason.toString()));
  }

  #connected(socket: WebSocket): void {
    this.#socket = socket;
    this.#lost = false;
    this.#alive = true;
    this.#openedMs = performance.now();
    this.#stats.up = true;
    this.#stats.connects++;
    this.#logger.info('backend link is up', { waiting: this.#queue.length });
    if (this.#actions.full) socket.pause();
    this.#pump();
  }

  #disconnected(code: number, reason: string): void {
    const wasUp = this.#socket !== null;
    this.#attempt = null;
    this.#socket = null;
    this.#writing = false;
    this.#stats.up = false;
    this.#onQuiet();
    if (this.#stopping) return;
    if (wasUp) this.#stats.losses++;
    if (wasUp && performance.now() - this.#openedMs >= STABLE_MS) this.#backoff.reset();
    const fields = { code, reason, error: this.#error?.message ?? '', waiting: this.#queue.length };
    if (wasUp) this.#logger.warn('backend link is lost', fields);
    else if (!this.#lost) this.#logger.warn('backend cannot be reached', fields);
    else this.#logger.debug('backend cannot be reached', fields);
    if (wasUp || !this.#lost) this.#lose();
    this.#retry = setTimeout(() => this.#connect(), this.#backoff.next());
  }

  #lose(): void {
    this.#lost = true;
    if (!this.#backend.closeOnLoss) {
      this.#queue.rewind();
      return;
    }
    // Before they are closed: the end of the link is what tells the backend of these ends.
    this.#queue.clear();
    this.#host?.lost(this.#backend.name);
  }

  /**
   * One event at a time: of several that a socket has, nobody could say after a break which ones it got rid of. While
   * the kernel has room this costs nothing, for then the next one goes in the same turn of the loop. Always true.
   */
  #pump(): boolean {
    const socket = this.#socket;
    const event = this.#queue.first;
    if (socket === null || event === undefined || this.#writing) return true;
    this.#writing = true;
    socket.send(eventText(event), (error) => this.#written(socket, error));
    return true;
  }

  #written(socket: WebSocket, error: Error | null | undefined): void {
    // A close follows an error. Of an earlier socket nothing is of interest any more.
    if (socket !== this.#socket || (error !== undefined && error !== null)) return;
    this.#writing = false;
    this.#queue.taken();
    if (this.#queue.length === 0) this.#onQuiet();
    if (++this.#inTurn % EVENTS_PER_TURN === 0) setImmediate(() => this.#pump());
    else this.#pump();
  }

  #received(socket: WebSocket, data: RawData): void {
    this.#alive = true;
    this.#actions.push(this.#decode(data as Buffer));
    if (this.#actions.full) socket.pause();
  }

  async #perform(actions: readonly string[]): Promise<void> {
    const answers = (await this.#host?.perform(this.#backend.name, actions)) ?? [];
    for (const answer of answers) {
      if (this.#socket !== null && this.#socket.bufferedAmount < UNREAD_BYTES_MAX) this.#socket.send(answer);
      else this.#stats.actions.add('answer_dropped');
    }
  }

  #decode(data: Buffer): string {
    try {
      return this.#decoder.decode(data);
    } catch {
      // Not JSON either, and refused as such.
      return '';
    }
  }

  #beat(): void {
    const socket = this.#socket;
    // While its messages wait here, its pongs wait behind them.
    if (socket === null || socket.isPaused) return;
    if (!this.#alive) {
      this.#error = new Error('no answer to a ping');
      socket.terminate();
      return;
    }
    this.#alive = false;
    socket.ping();
  }

  async #flush(): Promise<void> {
    if (this.#socket === null) return;
    await this.#quiet(() => this.#queue.length === 0 || this.#socket === null, this.#settings.flushMs);
  }

  /** Resolves when the condition holds, looked at whenever something was written or the link closed, or in time. */
  #quiet(isQuiet: () => boolean, timeoutMs: number): Promise<void> {
    if (isQuiet()) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#onQuiet = () => {
        if (!isQuiet()) return;
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
