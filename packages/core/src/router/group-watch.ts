import { Backoff, sleep } from '../backoff.js';
import { endByDefect } from '../defects.js';
import type { Engine } from '../engine.js';
import type { ShownBeat } from '../router-beat.js';
import { LeaseObserver } from '../lease-observer.js';
import type { Logger } from '../logger.js';
import type { RecordSource } from '../record-source.js';

/** Time in ms between two beats. */
const BEAT_MS = 400;
/** Silence in ms after which a router is taken for dead. A look more, a rebalance and the opening of partitions follow. */
const PATIENCE_MS = 1600;
/** Longest silence in ms that a router may ask for: by then the member's session in Kafka has ended anyway. */
const PATIENCE_MS_MAX = 8000;
/** A sign that took so long says nothing of others; what took less counts as one look, however busy this process is. */
const SLOW_MS = 2 * BEAT_MS;
/** Silence in ms that others see of a router that is late by nothing: its beat, and their own look. */
const UNSEEN_MS = 2 * BEAT_MS;
/** Lateness in ms with which a router is not thrown out yet. To ask for more patience would have its death seen later. */
const HARMLESS_MS = PATIENCE_MS - UNSEEN_MS;
/** A router may be later than it was by half as much again. */
const MARGIN = 1.5;
/** Time in ms that a router remembers how late it was. */
const LATENESS_KEPT_MS = 60_000;

export interface GroupWatchDeps {
  readonly source: RecordSource;
  readonly engine: Engine;
  readonly logger: Logger;
  /** Monotonic clock in ms. Default performance.now. */
  readonly monotonicMs?: () => number;
}

/**
 * Finds the routers of the group that died, and takes them out of it: Kafka would keep their partitions for them until
 * their sessions end. Each router shows a sign of life through the engine, and judges the others by its own clock and
 * only while its own signs come through in time, so that an engine that stands still is nobody's death.
 *
 * A router that is merely slow and taken for dead joins again, and what it read is recognised by its source. It then asks
 * for more patience, so that it is not thrown out again and again.
 */
export class GroupWatch {
  readonly #deps: GroupWatchDeps;
  readonly #group: string;
  readonly #nowMs: () => number;
  readonly #observer = new LeaseObserver({ leaseMs: PATIENCE_MS, lookMsMax: BEAT_MS });
  /** The greatest delay of a beat of this process, and when that was. */
  #late = { ms: 0, atMs: 0 };

  constructor(deps: GroupWatchDeps, group: string) {
    this.#deps = deps;
    this.#group = group;
    this.#nowMs = deps.monotonicMs ?? (() => performance.now());
  }

  /** Beats until the signal aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    let beat: Promise<void> | null = null;
    while (!signal.aborted) {
      beat ??= this.show(signal).finally(() => (beat = null));
      const dueMs = this.#nowMs() + BEAT_MS;
      // The clock is looked at beside a beat that is under way: this process may stand still before the answer comes.
      await sleep(BEAT_MS, signal);
      this.#noteLateness(this.#nowMs(), dueMs);
    }
    await beat;
  }

  /** Beats now: what this router shows is another one than before. Never rejects. */
  async show(signal: AbortSignal): Promise<void> {
    const { engine, source } = this.#deps;
    const { member } = source;
    const beganMs = this.#nowMs();
    try {
      const others = await engine.beat(this.#group, { member, leaseMs: this.#leaseMs });
      // The others had to wait as well.
      if (this.#nowMs() - beganMs > SLOW_MS) this.#observer.interrupt();
      for (const dead of this.#observer.look(others, this.#nowMs())) this.#evict(dead, signal).catch(endByDefect);
    } catch {
      // The engine says itself that it is away.
      this.#observer.interrupt();
    }
  }

  /** This router has left the group: nobody need look after it. */
  async end(): Promise<void> {
    await this.#deps.engine.beat(this.#group, null).catch((error: unknown) => {
      this.#deps.logger.debug('last sign of life not taken away', { error: String(error) });
    });
  }

  /** How long others have to wait before they give this router up: longer than it was silent of late. */
  get #leaseMs(): number {
    const isForgotten = this.#nowMs() - this.#late.atMs >= LATENESS_KEPT_MS;
    if (isForgotten || this.#late.ms < HARMLESS_MS) return PATIENCE_MS;
    return Math.round(Math.min(PATIENCE_MS_MAX, MARGIN * this.#late.ms + UNSEEN_MS));
  }

  #noteLateness(nowMs: number, dueMs: number): void {
    const isForgotten = nowMs - this.#late.atMs >= LATENESS_KEPT_MS;
    if (isForgotten || nowMs - dueMs >= this.#late.ms) this.#late = { ms: nowMs - dueMs, atMs: nowMs };
  }

  /** Never rejects. Only one of those who found it dead goes on to Kafka. */
  async #evict(dead: ShownBeat, signal: AbortSignal): Promise<void> {
    const { engine, source, logger } = this.#deps;
    const { node, member } = dead;
    const isMine = await engine.endBeat(this.#group, dead).catch(() => false);
    if (!isMine || member === null) return;
    logger.warn('a router gives no sign of life, taking it out of the group', { node, member });
    const backoff = new Backoff();
    const untilMs = this.#nowMs() + PATIENCE_MS_MAX;
    while (!signal.aborted && this.#nowMs() < untilMs) {
      try {
        return await source.evict(member);
      } catch (error) {
        const level = backoff.isFresh ? 'warn' : 'debug';
        logger[level]('dead router not taken out of the group yet', { node, member, error: String(error) });
        await backoff.wait(signal);
      }
    }
  }
}
