import type { BackendRequestStats } from '@ws-gateway/core';

/** The gateway asks too much already: the answer is `busy`. */
export class QueueFullError extends Error {
  override readonly name = 'QueueFullError';
}

/** Nobody waits for the answer any more, so the call was not made. */
export class CallerGoneError extends Error {
  override readonly name = 'CallerGoneError';
}

export interface LimiterOptions {
  /** Number of calls at once, over all backends. */
  readonly size: number;
  /** Number of calls that wait for a place. */
  readonly queueSize: number;
  /** Names of the backends that share the places. */
  readonly backends: readonly string[];
}

export interface Turn {
  readonly backend: string;
  /** Whose call it is; null: of nobody who could take too much. */
  readonly client: string | null;
  /** Time in ms; a call that waits longer is refused when its turn comes. */
  readonly waitMsMax: number;
  /** True: the call waits in a line beside that of the others, as long as it takes. The caller bounds how many wait. */
  readonly patient: boolean;
  /** Asked when the turn has come: a call that nobody wants any more is refused, and takes no place. */
  readonly isGone?: (() => boolean) | undefined;
}

interface Waiter {
  readonly turn: Turn;
  readonly untilMs: number;
  readonly go: () => void;
  readonly refuse: (error: QueueFullError | CallerGoneError) => void;
}

/** Calls that wait for one backend. Their clients are served in turn, the next one first. */
interface Line {
  readonly backend: string;
  readonly patient: boolean;
  readonly clients: Map<string | null, Waiter[]>;
  length: number;
}

/** Part of the places, and of the queue, that one client gets. */
const CLIENT_SHARE = 1 / 8;
/** Places that a client gets however few there are: as many as a page asks for at once, or nearly. */
const CLIENT_PLACES_MIN = 2;

/**
 * Allows at most `size` calls at once, with at most `queueSize` waiting. Half of the places are reserved, the same
 * number for each backend, and the other half is for whichever comes: a backend that does not answer never takes what
 * the others need. Each backend has a line of its own; the lines are served in turn, and when there is no room left the
 * longest line gives way. Of the places and of the queue one client has an eighth at most, and the clients of a line are
 * served in turn as well, so that nobody who asks much keeps the others of the same backend waiting.
 */
export class ConcurrencyLimiter {
  readonly #reservedEach: number;
  readonly #common: number;
  readonly #queueSize: number;
  readonly #clientPlaces: number;
  readonly #clientQueue: number;
  readonly #inFlight = new Map<string, number>();
  /** Calls in flight of each client that has one. */
  readonly #ofClient = new Map<string, number>();
  #commonInFlight = 0;
  /** Lines with somebody in them, next one to be served first. */
  readonly #lines = new Map<string, Line>();
  /** Number of calls in lines that are not patient. */
  #waiting = 0;
  readonly #stats: Pick<BackendRequestStats, 'inFlight' | 'queued'>;

  /** `stats` tells how many calls are in flight and waiting; nobody else writes it. */
  constructor({ size, queueSize, backends }: LimiterOptions, stats: Pick<BackendRequestStats, 'inFlight' | 'queued'>) {
    const count = Math.max(1, backends.length);
    // With fewer places than backends none can be reserved.
    this.#reservedEach = Math.max(Math.floor(size / (2 * count)), size >= count ? 1 : 0);
    this.#common = size - count * this.#reservedEach;
    this.#queueSize = queueSize;
    this.#clientPlaces = Math.max(CLIENT_PLACES_MIN, Math.floor(size * CLIENT_SHARE));
    this.#clientQueue = Math.ceil(queueSize * CLIENT_SHARE);
    this.#stats = stats;
  }

  /** Runs `work` in its turn. Rejects with QueueFullError or CallerGoneError, or as `work` does. */
  async run<T>(turn: Turn, work: () => Promise<T>): Promise<T> {
    if (this.#mayBegin(turn.backend) && this.#hasPlaceLeft(turn.client)) this.#begin(turn);
    else await this.#wait(turn);
    try {
      return await work();
    } finally {
      this.#end(turn);
    }
  }

  #mayBegin(backend: string): boolean {
    return this.#inFlightOf(backend) < this.#reservedEach || this.#commonInFlight < this.#common;
  }

  #hasPlaceLeft(client: string | null): boolean {
    return client === null || (this.#ofClient.get(client) ?? 0) < this.#clientPlaces;
  }

  #begin({ backend, client }: Turn): void {
    const inFlight = this.#inFlightOf(backend);
    if (inFlight >= this.#reservedEach) this.#commonInFlight++;
    this.#inFlight.set(backend, inFlight + 1);
    if (client !== null) this.#ofClient.set(client, (this.#ofClient.get(client) ?? 0) + 1);
    this.#stats.inFlight++;
  }

  #end({ backend, client }: Turn): void {
    const inFlight = this.#inFlightOf(backend) - 1;
    if (inFlight >= this.#reservedEach) this.#commonInFlight--;
    this.#inFlight.set(backend, inFlight);
    if (client !== null) {
      const left = this.#ofClient.get(client)! - 1;
      if (left > 0) this.#ofClient.set(client, left);
      else this.#ofClient.delete(client);
    }
    this.#stats.inFlight--;
    while (this.#serveNext());
  }

  #inFlightOf(backend: string): number {
    return this.#inFlight.get(backend) ?? 0;
  }

  #wait(turn: Turn): Promise<void> {
    const { backend, client, waitMsMax, patient } = turn;
    const key = patient ? `${backend} (patient)` : backend;
    const line = this.#lines.get(key) ?? { backend, patient, clients: new Map(), length: 0 };
    const waiters = line.clients.get(client) ?? [];
    if (!patient && client !== null && waiters.length >= this.#clientQueue) return Promise.reject(refusal());
    if (!patient && this.#waiting >= this.#queueSize && !this.#makeRoom(line)) return Promise.reject(refusal());
    return new Promise((go, refuse) => {
      const untilMs = patient ? Infinity : performance.now() + waitMsMax;
      waiters.push({ turn, untilMs, go, refuse });
      line.clients.set(client, waiters);
      this.#lines.set(key, line);
      this.#count(line, 1);
    });
  }

  /** Refuses the newest of the longest line, unless the newcomer's own line would be as long then. */
  #makeRoom(newcomers: Line): boolean {
    let longest: Line | null = null;
    for (const line of this.#lines.values()) if (!line.patient && line.length > (longest?.length ?? 0)) longest = line;
    if (longest === null || longest.length <= newcomers.length + 1) return false;
    const [client, waiters] = [...longest.clients].at(-1)!;
    waiters.pop()!.refuse(refusal());
    if (waiters.length === 0) longest.clients.delete(client);
    this.#count(longest, -1);
    return true;
  }

  /** Gives a place to the first line in turn that may have one. False: to nobody. */
  #serveNext(): boolean {
    for (const [key, line] of this.#lines) {
      const waiter = this.#mayBegin(line.backend) ? this.#nextOf(line) : null;
      if (waiter === null) continue;
      this.#lines.delete(key);
      if (line.length > 0) this.#lines.set(key, line);
      if (waiter.turn.isGone?.() === true) {
        waiter.refuse(new CallerGoneError('whoever asked has gone'));
      } else if (performance.now() < waiter.untilMs) {
        this.#begin(waiter.turn);
        waiter.go();
      } else {
        waiter.refuse(refusal());
      }
      return true;
    }
    return false;
  }

  /** Takes the next one out of a line; null: all who wait there have their part of the places already. */
  #nextOf(line: Line): Waiter | null {
    for (const [client, waiters] of line.clients) {
      if (!this.#hasPlaceLeft(client)) continue;
      const waiter = waiters.shift()!;
      line.clients.delete(client);
      if (waiters.length > 0) line.clients.set(client, waiters);
      this.#count(line, -1);
      return waiter;
    }
    return null;
  }

  #count(line: Line, change: 1 | -1): void {
    line.length += change;
    this.#stats.queued += change;
    if (!line.patient) this.#waiting += change;
  }
}

function refusal(): QueueFullError {
  return new QueueFullError('too many requests to backends');
}
