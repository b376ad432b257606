/** Entry point of the processes that hold the sockets of a SocketFleet. */
import { ArrivalLog, type Arrivals } from './arrival-log.js';
import { nowMicros } from './clock.js';
import { readNumber, userName, type LoadShape } from './load-record.js';
import { LoadSocket, type SocketListener } from './socket-client.js';
import { serveParent } from './child-worker.js';

export interface WorkerTask {
  readonly shape: LoadShape;
  readonly topics: readonly string[];
  /** Number of handshakes at a time. */
  readonly parallel: number;
  readonly sockets: readonly { user: number; host: string; port: number; token: string; query: string }[];
  /** Each socket enters the room that is called like its user. */
  readonly rooms: boolean;
}

export interface WorkerState {
  readonly open: number;
  /** Number of different records: one that came twice must not stand for one that has yet to come. */
  readonly arrived: number;
  /** Number of frames that are no records of this run. */
  readonly otherFrames: number;
  /** Reasons of a few sockets that ended. */
  readonly failures: readonly string[];
  readonly failed: number;
}

const SHOWN_MAX = 5;

class Sockets implements SocketListener {
  readonly #task: WorkerTask;
  readonly #log: ArrivalLog;
  /** Sockets whose first frame has not come; it is always `connected`. */
  readonly #joining = new Set<LoadSocket>();
  /** Sockets whose room has not answered. */
  readonly #entering = new Set<LoadSocket>();
  readonly #open = new Set<LoadSocket>();
  readonly #failures: string[] = [];
  readonly #settled = Promise.withResolvers<void>();
  #failed = 0;
  #next = 0;
  #otherFrames = 0;

  constructor(task: WorkerTask) {
    this.#task = task;
    this.#log = new ArrivalLog(task.shape);
  }

  /** Resolves when each socket has got `connected`, or failed. */
  async connect(): Promise<WorkerState> {
    for (let i = 0; i < this.#task.parallel; i++) this.#connectNext();
    await this.#settled.promise;
    return this.state();
  }

  state(): WorkerState {
    return {
      open: this.#open.size,
      arrived: this.#log.arrived,
      otherFrames: this.#otherFrames,
      failures: this.#failures,
      failed: this.#failed,
    };
  }

  arrivals(): Arrivals {
    return this.#log.arrivals();
  }

  frame(socket: LoadSocket, bytes: Buffer, { start, end }: { start: number; end: number }): void {
    const n = readNumber(bytes, start, end);
    if (n >= 0) this.#log.add(n, socket.user, nowMicros());
    else if (this.#joining.has(socket)) this.#greeted(socket, bytes.toString('utf8', start, end));
    else if (this.#entering.delete(socket)) this.#joined(socket);
    else this.#otherFrames++;
  }

  closed(socket: LoadSocket, why: string): void {
    const wasJoining = this.#joining.delete(socket) || this.#entering.delete(socket);
    this.#open.delete(socket);
    this.#failed++;
    if (this.#failures.length < SHOWN_MAX) this.#failures.push(`${userName(socket.user)}: ${why}`);
    if (wasJoining) this.#connectNext();
  }

  #greeted(socket: LoadSocket, text: string): void {
    if (!text.includes('"event":"connected"')) this.#failures.push(`unexpected first frame: ${text}`);
    this.#joining.delete(socket);
    if (!this.#task.rooms) return this.#joined(socket);
    this.#entering.add(socket);
    socket.send(`{"rid":1,"command":"enter","options":{"room":"${userName(socket.user)}"}}`);
  }

  #joined(socket: LoadSocket): void {
    this.#open.add(socket);
    this.#connectNext();
  }

  #connectNext(): void {
    const { sockets, topics } = this.#task;
    const next = sockets[this.#next++];
    if (next === undefined) {
      if (this.#joining.size + this.#entering.size === 0) this.#settled.resolve();
      return;
    }
    const { user, query, ...address } = next;
    const path = `/ws?topics=${topics.join(',')}${query}`;
    this.#joining.add(new LoadSocket(user, { ...address, path }, this));
  }
}

let sockets: Sockets | null = null;

serveParent({
  connect(task: WorkerTask) {
    sockets = new Sockets(task);
    return sockets.connect();
  },
  state: () => sockets?.state(),
  arrivals: () => sockets?.arrivals(),
});
