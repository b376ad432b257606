import type { TemplatedApp } from 'uWebSockets.js';

/** The apps take turns of so many ms, so none of their connections lives longer than all turns together. */
const TURN_MS = 250;
const APPS = 4;
/** Connections of one app; with so many its turn is over soon. */
const CONNECTIONS_PER_TURN = 6;
/** Connections of all apps; with more of them turns go on. */
const CONNECTIONS_MAX = (APPS - 1) * CONNECTIONS_PER_TURN;
/** Time in ms in which who comes is heard, however many others come: what is sent at once is answered in less. */
const HEARD_MS = 40;

interface OverflowOptions {
  /** Has the connections that come from now on go to that app; null: where they always go. */
  readonly accept: (app: TemplatedApp | null) => void;
  /** Answers wait to be written. */
  readonly isAnswering: () => boolean;
  readonly onDropped: () => void;
}

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
 * Nothing is ended as it is accepted: uWebSockets.js accepts until there is no descriptor, so each one that was given back
 * there would fetch the next one out of the kernel's queue, to be ended unheard as well.
 */
export class OverflowApps {
  readonly #ring: readonly OverflowApp[];
  readonly #accept: (app: TemplatedApp | null) => void;
  readonly #isAnswering: () => boolean;
  readonly #onDropped: () => void;
  #taking = 0;
  #turns: NodeJS.Timeout | undefined;
  #makingRoom: NodeJS.Timeout | undefined;
  /** Connections that came when the app had many already. */
  #arrivals = 0;

  constructor(make: () => TemplatedApp, { accept, isAnswering, onDropped }: OverflowOptions) {
    this.#accept = accept;
    this.#isAnswering = isAnswering;
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
    clearTimeout(this.#makingRoom);
    for (const { app } of this.#ring) app.close();
  }

  /** An app that was closed takes connections again. */
  #nextTurn(): void {
    this.#taking = (this.#taking + 1) % APPS;
    this.#end(this.#ring[this.#taking]!);
    this.#accept(this.#ring[this.#taking]!.app);
  }

  #counted(app: TemplatedApp): OverflowApp {
    const counted = { app, connections: 0 };
    app.filter((_, change) => {
      counted.connections += Number(change);
      if (Number(change) > 0 && counted.connections >= CONNECTIONS_PER_TURN) this.#makeRoom();
    });
    return counted;
  }

  /** What it has was answered or has said nothing. */
  #end({ app, connections }: OverflowApp): void {
    for (let left = connections; left > 0; left--) this.#onDropped();
    app.close();
  }

  /**
   * Begins the next turns when those who just came have been heard: each one that comes has the whole time. A busy loop
   * finds the timer over before it has read anything, so it reads once more, and answers what it has read.
   */
  #makeRoom(): void {
    clearTimeout(this.#makingRoom);
    const arrivals = ++this.#arrivals;
    const turn = (): void => {
      // Who came meanwhile has begun a time of their own.
      if (!this.isTaking || arrivals !== this.#arrivals) return;
      if (this.#isAnswering()) return void setImmediate(turn);
      for (let turns = 0; turns < APPS && (turns === 0 || this.#count() > CONNECTIONS_MAX); turns++) this.#nextTurn();
    };
    this.#makingRoom = setTimeout(() => setImmediate(() => setImmediate(turn)), HEARD_MS).unref();
  }

  #count(): number {
    return this.#ring.reduce((sum, { connections }) => sum + connections, 0);
  }
}
