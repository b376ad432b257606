/** Entry point of the process that holds the clients of a storm: they lose one node and come back to another. */
import { LoadSocket, nowMicros, serveParent, type SocketListener } from '@ws-gateway/load-generator';

interface Address {
  readonly host: string;
  readonly port: number;
}

export interface StormTask {
  readonly path: string;
  /** Tokens, one for each client. */
  readonly tokens: readonly string[];
  readonly first: Address;
  /** Where all of them come back to; null: they stay away. */
  readonly second: Address | null;
  /** Number of handshakes at a time while the first connections are made. */
  readonly parallel: number;
}

/** Times of each client by the monotonic clock, in microseconds. */
export interface StormTimes {
  readonly lostAt: Float64Array;
  /** Begin of the handshake that succeeded. */
  readonly triedAt: Float64Array;
  readonly connectedAt: Float64Array;
  /** Handshakes that were refused or failed, and tried again, by what was said. */
  readonly failures: ReadonlyMap<string, number>;
  /** Delay that the first node asked of each client by `reconnect_spread_ms`; who came when it had few sockets was told less. */
  readonly spreadMs: Float64Array;
}

/** Delays of a client whose handshake failed: full jitter, as in packages/client. */
const BASE_MS = 500;
const CAP_MS = 30_000;
const REASONS_MAX = 8;
const SPREAD = /"reconnect_spread_ms":(\d+)/;
const MESSAGE = /"message":"([^"]*)"/;

class StormClients implements SocketListener {
  readonly #task: StormTask;
  readonly #spreadMs: Float64Array;
  readonly #lostAt: Float64Array;
  readonly #triedAt: Float64Array;
  readonly #connectedAt: Float64Array;
  readonly #attempts: Uint8Array;
  readonly #failures = new Map<string, number>();
  readonly #everybodyIsThere = Promise.withResolvers<void>();
  readonly #everybodyIsLost = Promise.withResolvers<void>();
  readonly #everybodyIsBack = Promise.withResolvers<void>();
  #next = 0;
  #there = 0;
  #lost = 0;
  #back = 0;

  constructor(task: StormTask) {
    this.#task = task;
    const times = (): Float64Array => new Float64Array(task.tokens.length);
    this.#spreadMs = times();
    this.#lostAt = times();
    this.#triedAt = times();
    this.#connectedAt = times();
    this.#attempts = new Uint8Array(task.tokens.length);
  }

  async connect(): Promise<void> {
    for (let i = 0; i < this.#task.parallel; i++) this.#connectNext();
    await this.#everybodyIsThere.promise;
  }

  /** Resolves when each client has lost its first node and got `connected` from the second one, if it comes back. */
  async times(): Promise<StormTimes> {
    await (this.#task.second === null ? this.#everybodyIsLost : this.#everybodyIsBack).promise;
    return {
      lostAt: this.#lostAt,
      triedAt: this.#triedAt,
      connectedAt: this.#connectedAt,
      failures: this.#failures,
      spreadMs: this.#spreadMs,
    };
  }

  frame(socket: LoadSocket, bytes: Buffer, { start, end }: { start: number; end: number }): void {
    const text = bytes.toString('utf8', start, end);
    if (!text.includes('"event":"connected"')) return;
    const client = socket.user;
    if (this.#lostAt[client] !== 0) {
      this.#connectedAt[client] = nowMicros();
      if (++this.#back === this.#task.tokens.length) this.#everybodyIsBack.resolve();
      return;
    }
    this.#spreadMs[client] = Number(SPREAD.exec(text)?.[1]);
    if (++this.#there === this.#task.tokens.length) this.#everybodyIsThere.resolve();
    this.#connectNext();
  }

  closed(socket: LoadSocket, why: string): void {
    const client = socket.user;
    if (this.#there < this.#task.tokens.length) {
      this.#everybodyIsThere.reject(new Error(`a client could not connect to the first node: ${why}`));
    } else if (this.#lostAt[client] === 0) {
      this.#lostAt[client] = nowMicros();
      if (++this.#lost === this.#task.tokens.length) this.#everybodyIsLost.resolve();
      this.#comeBack(client, Math.random() * this.#spreadMs[client]!);
    } else {
      this.#failed(MESSAGE.exec(why)?.[1] ?? why);
      const attempt = this.#attempts[client]!++;
      this.#comeBack(client, Math.random() * Math.min(CAP_MS, BASE_MS * 2 ** attempt));
    }
  }

  #failed(why: string): void {
    const reason = this.#failures.size < REASONS_MAX || this.#failures.has(why) ? why : 'others';
    this.#failures.set(reason, (this.#failures.get(reason) ?? 0) + 1);
  }

  #comeBack(client: number, delayMs: number): void {
    const { second } = this.#task;
    if (second === null) return;
    setTimeout(() => {
      this.#triedAt[client] = nowMicros();
      this.#open(client, second);
    }, delayMs);
  }

  #connectNext(): void {
    if (this.#next < this.#task.tokens.length) this.#open(this.#next++, this.#task.first);
  }

  #open(client: number, address: Address): void {
    const token = this.#task.tokens[client]!;
    new LoadSocket(client, { ...address, path: this.#task.path, token }, this);
  }
}

let clients: StormClients | null = null;

serveParent({
  connect(task: StormTask) {
    clients = new StormClients(task);
    return clients.connect();
  },
  times: () => clients?.times(),
});
