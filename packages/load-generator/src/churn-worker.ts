/** Entry point of a Churn's process. */
import { nowMicros } from './clock.js';
import { LoadSocket, type SocketListener } from './socket-client.js';
import { serveParent } from './child-worker.js';

export interface ChurnTask {
  readonly host: string;
  readonly port: number;
  /** Path and query of the handshake. */
  readonly path: string;
  /** Tokens, one for each socket that is there at a time. */
  readonly tokens: readonly string[];
  readonly connectsPerSecond: number;
}

export interface ChurnState {
  /** Number of handshakes that got their first frame so far. */
  readonly connected: number;
  /** Number of sockets that were refused, or ended by the server. */
  readonly failed: number;
  readonly failures: readonly string[];
}

const SHOWN_MAX = 5;
const TICK_MS = 10;

/** Sockets that come and go: each new one takes the place of the oldest one, which is cut. */
class Sockets implements SocketListener {
  readonly #task: ChurnTask;
  readonly #sockets: (LoadSocket | null)[];
  readonly #joining = new Set<LoadSocket>();
  readonly #failures: string[] = [];
  readonly #startMicros = nowMicros();
  #started = 0;
  #connected = 0;
  #failed = 0;

  constructor(task: ChurnTask) {
    this.#task = task;
    this.#sockets = task.tokens.map(() => null);
    setInterval(() => this.#connectDue(), TICK_MS);
  }

  get state(): ChurnState {
    return { connected: this.#connected, failed: this.#failed, failures: this.#failures };
  }

  frame(socket: LoadSocket): void {
    if (this.#joining.delete(socket)) this.#connected++;
  }

  closed(socket: LoadSocket, why: string): void {
    this.#joining.delete(socket);
    this.#failed++;
    if (this.#failures.length < SHOWN_MAX) this.#failures.push(why);
  }

  #connectDue(): void {
    const { tokens, connectsPerSecond, host, port, path } = this.#task;
    const due = Math.floor(((nowMicros() - this.#startMicros) * connectsPerSecond) / 1e6);
    while (this.#started < due) {
      const place = this.#started++ % tokens.length;
      this.#cut(place);
      const socket = new LoadSocket(place, { host, port, path, token: tokens[place]! }, this);
      this.#sockets[place] = socket;
      this.#joining.add(socket);
    }
  }

  #cut(place: number): void {
    const socket = this.#sockets[place] ?? null;
    if (socket === null) return;
    socket.destroy();
    this.#joining.delete(socket);
  }
}

let sockets: Sockets | null = null;

serveParent({
  start(task: ChurnTask) {
    sockets = new Sockets(task);
  },
  state: () => sockets?.state,
});
