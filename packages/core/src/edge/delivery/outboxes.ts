import type { Connection } from './connection.js';

/**
 * Sockets written to in one turn of the event loop: at 7 µs each, what goes to all 15,000 would keep everything else
 * waiting for 0.1 s. Not fewer than the messages of a batch, or what comes in a burst would be put off for ever.
 */
const SOCKETS_PER_TURN = 512;

/** Frames of the current batch, by socket: they leave together, in one system call a socket. */
export class Outboxes {
  readonly #onSent: (connection: Connection) => void;
  /** Connections with a filled outbox. */
  #dirty: Connection[] = [];
  /** Connections with a filled outbox that wait for a turn. */
  #later: Connection[] = [];

  /** `onSent` is called behind each write to a socket, while the frames are still in its outbox. */
  constructor(onSent: (connection: Connection) => void) {
    this.#onSent = onSent;
  }

  add(connection: Connection, frame: Uint8Array): void {
    if (connection.outbox.push(frame) === 1) this.#dirty.push(connection);
  }

  send(connection: Connection): void {
    const { outbox, socket } = connection;
    if (socket === null || outbox.length === 0) return;
    if (outbox.length === 1) {
      socket.send(outbox[0]!);
    } else {
      socket.cork(() => {
        for (const frame of outbox) socket.send(frame);
      });
    }
    this.#onSent(connection);
    outbox.length = 0;
  }

  /** Sends what was collected; when it is for very many sockets, to most of them in turns of the loop that follow. */
  flush(): void {
    if (this.#dirty.length === 0) return;
    const dirty = this.#dirty;
    this.#dirty = [];
    if (dirty.length > SOCKETS_PER_TURN) this.#putOff(dirty.splice(SOCKETS_PER_TURN));
    for (const connection of dirty) this.send(connection);
  }

  /** Sends everything that was collected, now. */
  flushAll(): void {
    this.flush();
    for (const connection of this.#later.splice(0)) this.send(connection);
  }

  #putOff(connections: readonly Connection[]): void {
    if (this.#later.length === 0) setImmediate(() => this.#runTurn());
    this.#later = this.#later.concat(connections);
  }

  #runTurn(): void {
    for (const connection of this.#later.splice(0, SOCKETS_PER_TURN)) this.send(connection);
    if (this.#later.length > 0) setImmediate(() => this.#runTurn());
  }
}
