/**
 * A discrete-event model of clients that lost their node and come back: each draws a delay, makes a handshake at a server, is
 * admitted by a Redis master, and tries again when it is refused or has waited too long. A server is an event loop: in each turn it
 * does one step of every handshake that waits for one, so a crowd is served late, but all of it. A master takes one after the
 * other. Deterministic: the same question has the same answer.
 */
export interface ReturnQuestion {
  readonly clients: number;
  /** Time in ms over which each draws its first delay: one for all, or that of each client. */
  readonly spreadMs: number | ArrayLike<number>;
  /** Time in ms at which each client notices its loss, which is when its first delay begins. Default: all at 0. */
  readonly noticedMs?: ArrayLike<number>;
  /** Processes that take handshakes, each with a core of its own. */
  readonly servers: number;
  /** CPU of a server for a handshake, in ms; more when the server has other work. */
  readonly serviceMs: number;
  /** CPU of a server for what it takes over of the lost ones, in ms: it does that first. Default: nothing. */
  readonly takeoverMs?: number;
  /** Redis masters; 0: their part is in `serviceMs`. */
  readonly masters?: number;
  /** CPU of a master for an admission, in ms. */
  readonly admitMs?: number;
  /** Handshakes a second that a server takes; the others are refused and come back later. 0: no limit. */
  readonly limitPerSecond?: number;
  /** Time in ms after which a client gives a handshake up; the server does its work all the same. */
  readonly patienceMs?: number;
  /** Time in ms after which a server takes a master for away, and refuses; the master does its work all the same. */
  readonly callTimeoutMs?: number;
  /** Time in ms after which it is not watched any more. */
  readonly horizonMs?: number;
  readonly seed?: number;
}

export interface ReturnAnswer {
  /** Time of each return in ms, sorted; fewer than clients when some were not back at the horizon. */
  readonly afterMs: Float64Array;
  readonly attempts: number;
  readonly refused: number;
  readonly givenUp: number;
  /** Longest time of a handshake, and of its wait for a master, in ms. */
  readonly waitMsMax: { readonly handshake: number; readonly master: number };
}

/** Delays of a client whose handshake failed, in ms, as packages/client has them. */
const BACKOFF_MS = 500;
const BACKOFF_MS_MAX = 30_000;
/** Turns that a handshake takes: the connection, the request, the token's signature (another thread's), the answer of Redis. */
const STEPS = 4;

interface Server {
  isBusy: boolean;
  waiting: number[];
  /** Handshakes of the turn that is under way. */
  turn: number[];
  second: number;
  /** Handshakes of that second. */
  taken: number;
}

export function simulateReturn(question: ReturnQuestion): ReturnAnswer {
  return new Simulation(question).run();
}

/** Events are numbers: below `clients` an attempt, then the end of a server's turn, then the answer of a master. */
class Simulation {
  readonly #question: Required<ReturnQuestion>;
  readonly #random: () => number;
  readonly #events: EventQueue;
  readonly #failures: Uint8Array;
  readonly #steps: Uint8Array;
  readonly #serverOf: Uint32Array;
  readonly #begun: Float64Array;
  readonly #servers: readonly Server[];
  readonly #masterFree: Float64Array;
  readonly #afterMs: Float64Array;
  readonly #waitMsMax = { handshake: 0, master: 0 };
  #back = 0;
  #attempts = 0;
  #refused = 0;
  #givenUp = 0;

  constructor(question: ReturnQuestion) {
    const none = { patienceMs: Infinity, callTimeoutMs: Infinity, horizonMs: Infinity, limitPerSecond: 0 };
    this.#question = { masters: 0, admitMs: 0, seed: 1, noticedMs: [], takeoverMs: 0, ...none, ...question };
    const { clients, servers, masters, seed } = this.#question;
    this.#random = randomOf(seed);
    this.#events = new EventQueue(clients + servers);
    this.#failures = new Uint8Array(clients);
    this.#steps = new Uint8Array(clients);
    this.#serverOf = new Uint32Array(clients);
    this.#begun = new Float64Array(clients);
    this.#servers = Array.from({ length: servers }, () => ({
      isBusy: false,
      waiting: [],
      turn: [],
      second: -1,
      taken: 0,
    }));
    this.#masterFree = new Float64Array(Math.max(1, masters));
    this.#afterMs = new Float64Array(clients);
  }

  run(): ReturnAnswer {
    const { clients, servers, spreadMs, noticedMs, takeoverMs, horizonMs } = this.#question;
    for (let client = 0; client < clients; client++) {
      const widthMs = typeof spreadMs === 'number' ? spreadMs : spreadMs[client]!;
      this.#events.add((noticedMs[client] ?? 0) + this.#random() * widthMs, client);
    }
    for (let number = 0; takeoverMs > 0 && number < servers; number++) {
      this.#servers[number]!.isBusy = true;
      this.#events.add(takeoverMs, clients + number);
    }
    for (let event = this.#events.take(); event !== null && event.atMs < horizonMs; event = this.#events.take()) {
      const { what, atMs } = event;
      if (what < clients) this.#attempt(what, atMs);
      else if (what < clients + servers) this.#endTurn(what - clients, atMs);
      else this.#wait(what - clients - servers, atMs);
    }
    return {
      afterMs: this.#afterMs.subarray(0, this.#back).sort(),
      attempts: this.#attempts,
      refused: this.#refused,
      givenUp: this.#givenUp,
      waitMsMax: this.#waitMsMax,
    };
  }

  #again(client: number, now: number): void {
    const ceiling = Math.min(BACKOFF_MS_MAX, BACKOFF_MS * 2 ** this.#failures[client]!);
    if (this.#failures[client]! < 255) this.#failures[client]!++;
    this.#events.add(now + this.#random() * ceiling, client);
  }

  #attempt(client: number, now: number): void {
    const { servers, limitPerSecond } = this.#question;
    this.#attempts++;
    const number = Math.floor(this.#random() * servers);
    const server = this.#servers[number]!;
    const second = Math.floor(now / 1000);
    if (server.second !== second) Object.assign(server, { second, taken: 0 });
    if (limitPerSecond > 0 && ++server.taken > limitPerSecond) {
      this.#refused++;
      return this.#again(client, now);
    }
    this.#begun[client] = now;
    this.#serverOf[client] = number;
    this.#wait(client, now);
  }

  #wait(client: number, now: number): void {
    const number = this.#serverOf[client]!;
    const server = this.#servers[number]!;
    server.waiting.push(client);
    if (!server.isBusy) this.#beginTurn(number, now);
  }

  #beginTurn(number: number, now: number): void {
    const { clients, serviceMs } = this.#question;
    const server = this.#servers[number]!;
    server.isBusy = true;
    server.turn = server.waiting;
    server.waiting = [];
    this.#events.add(now + (server.turn.length * serviceMs) / STEPS, clients + number);
  }

  #endTurn(number: number, now: number): void {
    const server = this.#servers[number]!;
    const { turn } = server;
    server.isBusy = false;
    server.turn = [];
    for (const client of turn) {
      const step = ++this.#steps[client]!;
      if (step === STEPS) this.#greeted(client, now);
      else if (step < STEPS - 1 || this.#question.masters === 0) server.waiting.push(client);
      else this.#admit(client, now);
    }
    if (!server.isBusy && server.waiting.length > 0) this.#beginTurn(number, now);
  }

  #admit(client: number, now: number): void {
    const { clients, servers, masters, admitMs, callTimeoutMs } = this.#question;
    const master = client % masters;
    const waits = Math.max(0, this.#masterFree[master]! - now);
    this.#waitMsMax.master = Math.max(this.#waitMsMax.master, waits);
    this.#masterFree[master] = now + waits + admitMs;
    if (waits + admitMs <= callTimeoutMs) {
      this.#events.add(this.#masterFree[master], clients + servers + client);
      return;
    }
    this.#refused++;
    this.#steps[client] = 0;
    this.#again(client, now + callTimeoutMs);
  }

  #greeted(client: number, now: number): void {
    this.#steps[client] = 0;
    const waited = now - this.#begun[client]!;
    this.#waitMsMax.handshake = Math.max(this.#waitMsMax.handshake, waited);
    if (waited <= this.#question.patienceMs) {
      this.#afterMs[this.#back++] = now;
      return;
    }
    this.#givenUp++;
    this.#again(client, now);
  }
}

/** Mulberry32. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A heap; a client has one event at a time, a server another one. */
class EventQueue {
  readonly #times: Float64Array;
  readonly #whats: Int32Array;
  #size = 0;

  constructor(sizeMax: number) {
    this.#times = new Float64Array(sizeMax + 1);
    this.#whats = new Int32Array(sizeMax + 1);
  }

  add(atMs: number, what: number): void {
    let at = ++this.#size - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.#times[parent]! <= atMs) break;
      this.#move(parent, at);
      at = parent;
    }
    this.#times[at] = atMs;
    this.#whats[at] = what;
  }

  take(): { atMs: number; what: number } | null {
    if (this.#size === 0) return null;
    const first = { atMs: this.#times[0]!, what: this.#whats[0]! };
    const last = --this.#size;
    const [atMs, what] = [this.#times[last]!, this.#whats[last]!];
    let at = 0;
    for (let child = 1; child < last; child = 2 * at + 1) {
      if (child + 1 < last && this.#times[child + 1]! < this.#times[child]!) child++;
      if (this.#times[child]! >= atMs) break;
      this.#move(child, at);
      at = child;
    }
    this.#times[at] = atMs;
    this.#whats[at] = what;
    return first;
  }

  #move(from: number, to: number): void {
    this.#times[to] = this.#times[from]!;
    this.#whats[to] = this.#whats[from]!;
  }
}
