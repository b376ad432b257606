import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket, type RawData } from 'ws';
import { token } from '../gateway-cluster.js';
import type { Received } from './delivery-ledger.js';

/** Chooses where to connect. It is asked before each attempt, since nodes come and go. */
export type ChooseTarget = () => string | null;

export interface ListenerOptions {
  readonly user: string;
  readonly topics: string;
  readonly chooseTarget: ChooseTarget;
}

interface StreamRow {
  readonly stream: string;
  readonly epoch: string;
  readonly offset: number;
  readonly recovered?: boolean;
  readonly replayed?: number;
}

interface Position {
  epoch: string;
  offset: number;
  /** True when the server said that history was lost: the next frame need not follow the one before. */
  startsOver: boolean;
}

interface Update {
  readonly event: string;
  readonly status: string;
  readonly user_id?: string;
  readonly stream?: string;
  readonly epoch?: string;
  readonly offset?: number;
  readonly payload: Record<string, unknown> | null;
}

const BACKOFF_FIRST_MS = 50;
const BACKOFF_LAST_MS = 1000;
const HANDSHAKE_TIMEOUT_MS = 5000;
/** Lowest close code that forbids coming back (docs/protocol.md). */
const STAY_AWAY = 4500;

/**
 * A client as docs/protocol.md wants one. It comes back after everything but a close that forbids it, with full jitter,
 * or within the time that a `reconnect` frame gives it, and brings the position of each stream.
 */
export class Listener implements Received {
  readonly user: string;
  readonly sequences: number[] = [];
  readonly offsetFaults: string[] = [];
  /** Latency in ms from producing to arrival, beside `sequences`. */
  readonly latencies: number[] = [];
  /** Number of sessions that each close code ended; 0 stands for a connection that was not made. */
  readonly closes = new Map<number, number>();
  told = false;
  /**
   * Number of sessions that began with `connected`, the time of the last one (performance.now), and the number of those
   * that were recovered.
   */
  sessions = 0;
  connectedAtMs = 0;
  recoveries = 0;
  replayed = 0;
  readonly #options: ListenerOptions;
  readonly #positions = new Map<string, Position>();
  readonly #stopping = new AbortController();
  #socket: WebSocket | null = null;
  #reconnectAfterMs: number | null = null;
  #connected = false;
  #target: string | null = null;
  #running: Promise<void> = Promise.resolve();

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.user = options.user;
  }

  get connected(): boolean {
    return this.#connected;
  }

  /** Address of the node it is connected to, or tries to connect to. */
  get target(): string | null {
    return this.#target;
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#socket?.terminate();
    await this.#running;
  }

  /** Ends the connection without a word; it comes back when there is a target. */
  breakOff(): void {
    this.#socket?.terminate();
  }

  /** Stops reading: a slow consumer. */
  pause(): void {
    this.#socket?.pause();
  }

  resume(): void {
    this.#socket?.resume();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    let failures = 0;
    while (!signal.aborted) {
      const before = this.sessions;
      const code = await this.#session();
      this.closes.set(code, (this.closes.get(code) ?? 0) + 1);
      if (code >= STAY_AWAY) return;
      failures = this.sessions > before ? 0 : failures + 1;
      const spreadMs = Math.min(BACKOFF_LAST_MS, BACKOFF_FIRST_MS * 2 ** failures);
      const waitMs = this.#reconnectAfterMs ?? Math.random() * spreadMs;
      this.#reconnectAfterMs = null;
      await delay(waitMs, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Runs one connection from the handshake to its end; returns the close code, or 0 when there was no connection. */
  async #session(): Promise<number> {
    this.#target = this.#options.chooseTarget();
    if (this.#target === null) return 0;
    const query = new URLSearchParams({ token: token(this.user), topics: this.#options.topics });
    const recover = [...this.#positions].map(([stream, { epoch, offset }]) => `${stream}:${epoch}:${offset}`);
    if (recover.length > 0) query.set('recover', recover.join(','));
    const socket = new WebSocket(`${this.#target}/ws?${query.toString()}`, {
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      perMessageDeflate: false,
    });
    this.#socket = socket;
    let opened = false;
    socket.on('open', () => (opened = true));
    socket.on('message', (data) => this.#received(data));
    // `close` follows each error and tells all there is to tell.
    socket.on('error', () => undefined);
    const code = await new Promise<number>((resolve) => socket.once('close', resolve));
    this.#connected = false;
    return opened ? code : 0;
  }

  #received(data: RawData): void {
    const frame = JSON.parse((data as Buffer).toString()) as Update;
    if (frame.event === 'connected') this.#welcome(frame.payload as { topics: Row[] });
    else if (frame.event === 'reconnect') this.#reconnectAfterMs = Number(frame.payload?.['after_ms']);
    else if (frame.status === 'update') this.#update(frame);
  }

  #welcome({ topics }: { topics: Row[] }): void {
    this.#connected = true;
    this.sessions++;
    this.connectedAtMs = performance.now();
    for (const row of topics) {
      if (row.stream !== undefined) this.#joined(row as StreamRow);
      if (row.public !== undefined) this.#joined(row.public);
    }
  }

  #joined(row: StreamRow): void {
    const { stream, epoch, offset, recovered, replayed = 0 } = row;
    const known = this.#positions.get(stream);
    if (known !== undefined && recovered === undefined) this.offsetFaults.push(`${stream}: no answer to its position`);
    if (recovered === true) {
      this.recoveries++;
      this.replayed += replayed;
    }
    // While a replay is under way the position stays where it was: a connection that breaks meanwhile asks for it
    // again.
    if (recovered === undefined || replayed === 0) this.#positions.set(stream, { epoch, offset, startsOver: false });
    else if (!recovered && known !== undefined) known.startsOver = true;
    if (recovered === false) this.told = true;
  }

  #update(frame: Update): void {
    const { stream, epoch = '', offset = 0 } = frame;
    if (stream !== undefined) this.#moved(stream, epoch, offset);
    const sequence = frame.payload?.['seq'];
    if (typeof sequence !== 'number') return;
    this.sequences.push(frame.user_id === this.user ? sequence : -1);
    this.latencies.push(Date.now() - Number(frame.payload?.['at']));
  }

  #moved(stream: string, epoch: string, offset: number): void {
    const at = this.#positions.get(stream);
    if (at !== undefined && !at.startsOver) {
      if (epoch !== at.epoch) this.told = true;
      else if (offset !== at.offset + 1) this.offsetFaults.push(`${stream}: ${offset} came after ${at.offset}`);
    }
    this.#positions.set(stream, { epoch, offset, startsOver: false });
  }
}

type Row = Partial<StreamRow> & { readonly public?: StreamRow };
