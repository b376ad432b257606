/** Entry point of the process that holds ReturningClients. */
import { LoadSocket, nowMicros, serveParent, type SocketListener } from '@ws-gateway/load-generator';

export interface Target {
  readonly host: string;
  readonly port: number;
}

export interface ReturningTask {
  readonly target: Target;
  readonly path: string;
  /** A client for each. */
  readonly tokens: readonly string[];
  /** Where they go when that is gone. */
  readonly next: Target;
  /** Time in ms over which a client draws its first delay: what `reconnect_spread_ms` tells clients. */
  readonly spreadMs: number;
  /** Handshakes at a time in the beginning. */
  readonly parallel: number;
}

export interface Returned {
  /** Time from the first loss to each return, in ms, sorted. */
  readonly afterMs: readonly number[];
  /** Handshakes that were made, those in vain included. */
  readonly attempts: number;
}

/** As in packages/client. */
const BACKOFF_MS = 500;
const BACKOFF_MS_MAX = 30_000;

class ReturningClients implements SocketListener {
  readonly #task: ReturningTask;
  readonly #there = Promise.withResolvers<void>();
  readonly #back = Promise.withResolvers<void>();
  readonly #returns: number[] = [];
  readonly #failures: Int32Array;
  readonly #greeted: Uint8Array;
  #lostMicros = 0;
  #attempts = 0;
  #started = 0;
  #arrived = 0;

  constructor(task: ReturningTask) {
    this.#task = task;
    this.#failures = new Int32Array(task.tokens.length);
    this.#greeted = new Uint8Array(task.tokens.length);
  }

  /** Resolves to the seconds that it took. */
  async connect(): Promise<number> {
    const began = nowMicros();
    for (let i = 0; i < this.#task.parallel; i++) this.#connectNext();
    await this.#there.promise;
    return (nowMicros() - began) / 1e6;
  }

  async returned(): Promise<Returned> {
    await this.#back.promise;
    const afterMs = this.#returns.map((micros) => (micros - this.#lostMicros) / 1000).sort((a, b) => a - b);
    return { afterMs, attempts: this.#attempts };
  }

  frame(socket: LoadSocket, bytes: Buffer, { start, end }: { start: number; end: number }): void {
    if (this.#greeted[socket.user] === 1 || !bytes.toString('utf8', start, end).includes('"event":"connected"')) return;
    this.#greeted[socket.user] = 1;
    if (this.#lostMicros > 0) {
      if (this.#returns.push(nowMicros()) === this.#task.tokens.length) this.#back.resolve();
    } else if (++this.#arrived === this.#task.tokens.length) this.#there.resolve();
    else this.#connectNext();
  }

  closed(socket: LoadSocket, why: string): void {
    const { user } = socket;
    if (this.#arrived < this.#task.tokens.length) return this.#there.reject(new Error(why));
    if (this.#lostMicros === 0) this.#lostMicros = nowMicros();
    const wasThere = this.#greeted[user] === 1;
    this.#greeted[user] = 0;
    const ceiling = wasThere
      ? this.#task.spreadMs
      : Math.min(BACKOFF_MS_MAX, BACKOFF_MS * 2 ** this.#failures[user]!++);
    setTimeout(() => this.#connect(user, this.#task.next), Math.random() * ceiling);
  }

  #connectNext(): void {
    if (this.#started < this.#task.tokens.length) this.#connect(this.#started++, this.#task.target);
  }

  #connect(user: number, { host, port }: Target): void {
    if (this.#lostMicros > 0) this.#attempts++;
    new LoadSocket(user, { host, port, path: this.#task.path, token: this.#task.tokens[user]! }, this);
  }
}

let clients: ReturningClients | null = null;

serveParent({
  connect(task: ReturningTask) {
    clients = new ReturningClients(task);
    return clients.connect();
  },
  returned: () => clients!.returned(),
});
