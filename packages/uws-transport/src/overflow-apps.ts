import type { TemplatedApp } from 'uWebSockets.js';

/** The apps take turns of so many ms, so none of their connections lives longer than all turns together. */
const TURN_MS = 250;
const APPS = 4;
/** Connections of one app; with so many its turn is over. */
const CONNECTIONS_PER_TURN = 6;
/** Connections of all apps; more are closed as they come. */
const CONNECTIONS_MAX = APPS * CONNECTIONS_PER_TURN;

interface OverflowApp {
  readonly app: TemplatedApp;
  connections: number;
}

/**
 * Takes connections while the process has hardly any descriptor left. uWebSockets.js gives a connection 10 s to send its
 * request, and cannot be told to end a single silent one; so silent ones hold all descriptors, `accept` fails at each turn of
 * the event loop, and those who would be quick (health checks, clients that are to be told 503) wait in the kernel's queue.
 * What it can do is to end all connections of an app. So a ring of apps takes turns, and an app ends what it has before it
 * takes anything new: who comes is heard at the expense of the oldest.
 */
export class OverflowApps {
  readonly #ring: readonly OverflowApp[];
  readonly #accept: (app: TemplatedApp | null) => void;
  readonly #onDropped: () => void;
  #taking = 0;
  #turns: NodeJS.Timeout | undefined;
  #isMakingRoom = false;

  /** `accept` has the connections that come from now on go to that app; null: where they always go. */
  constructor(
    make: () => TemplatedApp,
    { accept, onDropped }: { accept: (app: TemplatedApp | null) => void; onDropped: () => void },
  ) {
    this.#accept = accept;
    this.#onDropped = onDropped;
    this.#ring = Array.from({ length: APPS }, () => this.#counted(make()));
  }

  get isTaking(): boolean {
    return this.#turns !== undefined;
  }

  start(): void {
    if (this.isTaking) return;
    this.#turns = setInterval(() => this.#nextTurn(), TURN_MS).unref();
    this.#nextTurn();
  }

  /** What came to them is ended by their next turn, or by `close`. */
  stop(): void {
    if (!this.isTaking) return;
    clearInterval(this.#turns);
    this.#turns = undefined;
    this.#accept(null);
  }

  close(): void {
    this.stop();
    for (const { app } of this.#ring) app.close();
  }

  /** An app that was closed takes connections again. */
  #nextTurn(): void {
    let looked = 0;
    do {
      this.#taking = (this.#taking + 1) % APPS;
      this.#ring[this.#taking]!.app.close();
      looked++;
    } while (looked < APPS && this.#count() > CONNECTIONS_MAX - CONNECTIONS_PER_TURN);
    this.#accept(this.#ring[this.#taking]!.app);
  }

  #counted(app: TemplatedApp): OverflowApp {
    const counted = { app, connections: 0 };
    app.filter((res, change) => {
      counted.connections += Number(change);
      if (Number(change) < 0) return;
      if (counted.connections >= CONNECTIONS_PER_TURN) this.#makeRoom();
      if (this.#count() <= CONNECTIONS_MAX) return;
      this.#onDropped();
      res.close();
    });
    return counted;
  }

  /** Begins the next turn behind the callback of uWebSockets.js that this is called in. */
  #makeRoom(): void {
    if (this.#isMakingRoom) return;
    this.#isMakingRoom = true;
    setImmediate(() => {
      this.#isMakingRoom = false;
      if (this.isTaking) this.#nextTurn();
    });
  }

  #count(): number {
    return this.#ring.reduce((sum, { connections }) => sum + connections, 0);
  }
}
