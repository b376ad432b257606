/** Entry point of a HandshakeLoad's process. */
import { LoadSocket, type SocketListener } from './socket-client.js';
import { serveParent } from './child-worker.js';

export interface HandshakeTask {
  readonly host: string;
  readonly port: number;
  /** Path and query of the handshake. */
  readonly path: string;
  /** Tokens, one for each handshake. */
  readonly tokens: readonly string[];
  /** Number of handshakes at a time. */
  readonly parallel: number;
  readonly readsRefusals?: boolean;
}

export interface HandshakeOutcome {
  /** Number of handshakes that got their first frame. */
  readonly done: number;
  /** Bytes of the last one's first frame. */
  readonly frameBytes: number;
  readonly failed: number;
  /** Reasons of a few that failed. */
  readonly failures: readonly string[];
}

const SHOWN_MAX = 5;

/** Connects a socket, cuts it as soon as the first frame has come, and goes on with the next token. */
class Handshakes implements SocketListener {
  readonly #task: HandshakeTask;
  readonly #ended = Promise.withResolvers<void>();
  readonly #failures: string[] = [];
  #next = 0;
  #done = 0;
  #failed = 0;
  #frameBytes = 0;

  constructor(task: HandshakeTask) {
    this.#task = task;
  }

  async run(): Promise<HandshakeOutcome> {
    for (let i = 0; i < this.#task.parallel; i++) this.#connectNext();
    await this.#ended.promise;
    return { done: this.#done, frameBytes: this.#frameBytes, failed: this.#failed, failures: this.#failures };
  }

  frame(socket: LoadSocket, bytes: Buffer, { start, end }: { start: number; end: number }): void {
    if (!bytes.toString('utf8', start, end).includes('"event":"connected"')) return;
    socket.destroy();
    this.#frameBytes = end - start;
    this.#done++;
    this.#connectNext();
  }

  closed(_socket: LoadSocket, why: string): void {
    this.#failed++;
    if (this.#failures.length < SHOWN_MAX) this.#failures.push(why);
    this.#connectNext();
  }

  #connectNext(): void {
    const { tokens, parallel: _, ...target } = this.#task;
    const token = tokens[this.#next];
    if (token !== undefined) new LoadSocket(this.#next++, { ...target, token }, this);
    else if (this.#done + this.#failed === tokens.length) this.#ended.resolve();
  }
}

serveParent({ run: (task: HandshakeTask) => new Handshakes(task).run() });
