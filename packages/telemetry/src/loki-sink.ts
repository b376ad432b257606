import { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { JsonEndpoint } from './json-endpoint.js';

export interface LokiOptions {
  /** Push address; a user and password in it are sent as HTTP authentication. */
  readonly url: string;
  /**
   * Labels of the one stream that all lines go to. Loki refuses a stream without any, so `app` is added unless it is
   * given.
   */
  readonly labels: Readonly<Record<string, string>>;
  /** Bytes that may wait while Loki is away; default 4 MB. */
  readonly waitingBytesMax?: number;
}

interface Entry {
  readonly line: string;
  readonly bytes: number;
  readonly timeMs: number;
}

const WAITING_BYTES_MAX = 4 * 1024 * 1024;
const BATCH_BYTES_MAX = 512 * 1024;
/** Bytes of an entry beside its text: its time and quotes, and what the object costs. */
const ENTRY_BYTES = 100;
/** Time in ms over which lines are collected, so that a busy second is one request. */
const COLLECT_MS = 500;
const RETRY_MS_MAX = 30_000;
const REQUEST_TIMEOUT_MS = 5_000;
/** Time limit in ms of the last request: a stop does not wait long for a log server. */
const LAST_REQUEST_TIMEOUT_MS = 2_000;

/**
 * Pushes lines to Loki in batches, in order, one request at a time. It takes each line at once: Loki being slow or away
 * costs lines, never memory or time. It gives up what Loki refuses for good (4xx) and tries anything else again. It
 * emits `failing` with the reason when it begins to fail, and `flowing` when lines arrive again.
 */
export class LokiSink extends Writable {
  /** Number of lines that were pushed. */
  pushed = 0;
  dropped = 0;
  readonly #endpoint: JsonEndpoint;
  readonly #labels: Readonly<Record<string, string>>;
  readonly #waitingBytesMax: number;
  #waiting: Entry[] = [];
  #waitingBytes = 0;
  #running: Promise<void> | null = null;
  #failures = 0;
  readonly #stopping = new AbortController();

  constructor(options: LokiOptions) {
    super({ decodeStrings: false });
    this.#endpoint = new JsonEndpoint(options.url);
    this.#labels = { app: 'ws-gateway', ...options.labels };
    this.#waitingBytesMax = options.waitingBytesMax ?? WAITING_BYTES_MAX;
  }

  override _write(line: string, _encoding: string, done: () => void): void {
    this.#add(line.trimEnd());
    done();
  }

  /** Tries once more to push what waits, then gives up. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    while (this.#waiting.length > 0 && (await this.#pushBatch(LAST_REQUEST_TIMEOUT_MS)));
    this.#giveUp(this.#waiting);
  }

  #add(line: string): void {
    const bytes = Buffer.byteLength(line) + ENTRY_BYTES;
    if (this.#stopping.signal.aborted || this.#waitingBytes + bytes > this.#waitingBytesMax) {
      this.dropped++;
      return;
    }
    this.#waiting.push({ line, bytes, timeMs: Date.now() });
    this.#waitingBytes += bytes;
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (this.#waiting.length > 0 && !signal.aborted) {
      await pause(Math.min(COLLECT_MS * 2 ** this.#failures, RETRY_MS_MAX), signal);
      if (!signal.aborted) await this.#pushBatch(REQUEST_TIMEOUT_MS);
    }
    this.#running = null;
  }

  /** Resolves to whether the batch is done with. Never rejects. */
  async #pushBatch(timeoutMs: number): Promise<boolean> {
    const batch = this.#batch();
    const problem = await this.#post(batch, timeoutMs);
    if (problem === null) {
      this.pushed += batch.length;
      this.#remove(batch);
      if (this.#failures > 0) this.emit('flowing');
      this.#failures = 0;
      return true;
    }
    if (this.#failures++ === 0) this.emit('failing', problem.reason);
    if (problem.final) this.#giveUp(batch);
    return problem.final;
  }

  #batch(): Entry[] {
    let bytes = 0;
    let count = 0;
    while (count < this.#waiting.length) {
      bytes += this.#waiting[count]!.bytes;
      if (count > 0 && bytes > BATCH_BYTES_MAX) break;
      count++;
    }
    return this.#waiting.slice(0, count);
  }

  #giveUp(batch: readonly Entry[]): void {
    this.dropped += batch.length;
    this.#remove(batch);
  }

  #remove(batch: readonly Entry[]): void {
    for (const { bytes } of batch) this.#waitingBytes -= bytes;
    this.#waiting = this.#waiting.slice(batch.length);
  }

  async #post(batch: readonly Entry[], timeoutMs: number): Promise<{ reason: string; final: boolean } | null> {
    const values = batch.map(({ line, timeMs }) => [`${timeMs}000000`, line]);
    const failure = await this.#endpoint.post({ streams: [{ stream: this.#labels, values }] }, timeoutMs);
    if (failure === null) return null;
    const { reason, status } = failure;
    return { reason, final: status !== null && status >= 400 && status < 500 && status !== 429 };
  }
}

/** Waits without keeping the process alive: lines that wait are no reason for that. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal, ref: false }).catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
}
