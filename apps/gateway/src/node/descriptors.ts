import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import type { Logger } from '@ws-gateway/core';

const LIMITS = '/proc/self/limits';

/** Below this a node holds too few sockets to be of use in production. */
const HARD_LIMIT_MIN = 4096;
/** Descriptors for everything that is no socket of a client: Kafka, Redis, back ends, files, the listener. */
const OTHERS = 64;
const LOOK_MS = 250;
/** Descriptors kept back, so that health checks and refusals are still answered when all others are taken. */
const RESERVE = 32;
/** Descriptors beside the reserve that end a shortage: with fewer it would begin again with the next few connections. */
const SPARE = 32;

/** Descriptors that this process may have at most; null where the system does not say, as only Linux does here. */
export function descriptorLimit(): number | null {
  if (!existsSync(LIMITS)) return null;
  const hard = /^Max open files +\S+ +(\d+)/m.exec(readFileSync(LIMITS, 'utf8'))?.[1];
  return hard === undefined ? null : Number(hard);
}

/** `limits.connections`, or what the descriptors allow. */
export function connectionsMax(configured: number, hard: number | null): number {
  if (configured > 0) return configured;
  return hard === null ? 0 : Math.max(1, Math.floor(hard * 0.9) - OTHERS);
}

export function warnOfFewDescriptors(hard: number | null, logger: Logger): void {
  if (hard === null || hard >= HARD_LIMIT_MIN) return;
  logger.warn('few file descriptors: raise the hard limit (ulimit -Hn)', {
    hard,
    connections: connectionsMax(0, hard),
  });
}

/**
 * Looks whether the process still gets descriptors, whoever has taken them. When it does not, those who take connections
 * are told, and then a reserve is given free, so that clients can be told 503 instead of waiting in a queue that nobody
 * accepts from, and the node says that it is full.
 */
export class DescriptorWatch {
  readonly #logger: Logger;
  readonly #path: string;
  readonly #reserve: number[] = [];
  #timer: NodeJS.Timeout | undefined;
  #isExhausted = false;
  #onChange: (isExhausted: boolean) => void = () => undefined;

  constructor(logger: Logger, path = '/dev/null') {
    this.#logger = logger;
    this.#path = path;
  }

  get isExhausted(): boolean {
    return this.#isExhausted;
  }

  start(onChange: (isExhausted: boolean) => void): void {
    this.#onChange = onChange;
    this.#look();
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#release();
  }

  #look(): void {
    const isExhausted = !this.#fill();
    if (isExhausted !== this.#isExhausted) this.#change(isExhausted);
    if (isExhausted) this.#release();
  }

  #change(isExhausted: boolean): void {
    this.#isExhausted = isExhausted;
    if (isExhausted) this.#logger.warn('out of file descriptors, new connections are refused', { reserve: RESERVE });
    else this.#logger.info('there are file descriptors again');
    this.#onChange(isExhausted);
  }

  /** False: there are not as many as the reserve needs. */
  #fill(): boolean {
    try {
      while (this.#reserve.length < RESERVE) this.#reserve.push(openSync(this.#path, 'r'));
      // The reserve is full as long as all is well.
      this.#tryOpen(this.#isExhausted ? SPARE : 1);
      return true;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EMFILE' || code === 'ENFILE') return false;
      throw error;
    }
  }

  /** Throws when there are not so many. */
  #tryOpen(count: number): void {
    const opened: number[] = [];
    try {
      while (opened.length < count) opened.push(openSync(this.#path, 'r'));
    } finally {
      for (const descriptor of opened) closeSync(descriptor);
    }
  }

  #release(): void {
    for (const descriptor of this.#reserve.splice(0)) closeSync(descriptor);
  }
}
