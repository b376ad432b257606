import type { Engine } from '../../engine.js';
import { isHalfDayEnding } from '../../half-days.js';
import type { RetainedStream } from '../../streams.js';
import type { LocalStreams, Subscription } from '../delivery/connection.js';
import type { LocalStream } from '../delivery/local-streams.js';

/** A walk over all streams of a node takes so many seconds at most, a third of the time that there is. */
const WALK_SECONDS = 600;
const PORTION_MIN = 100;

/**
 * Sees to it that what clients were told of their streams stays true for as long as they are connected. An engine keeps
 * nothing of a stream that was never written, and forgets what was not written for long: without this the next message would
 * come under an epoch that nobody was told, and clients would load anew for nothing. So the engine is told which streams
 * there are, at the end of each half day, because that is when epochs change. Whoever comes in the very last moment may be
 * left out, and so is everybody while the engine is away.
 */
export class ToldPositions {
  readonly #engine: Pick<Engine, 'keep'>;
  readonly #localStreams: Pick<LocalStreams, 'all' | 'size'>;
  /** Streams that are still to be told in this walk; null: it begins anew. */
  #rest: Iterator<LocalStream<Subscription>> | null = null;
  #isAsking = false;

  constructor(deps: {
    readonly engine: Pick<Engine, 'keep'>;
    readonly localStreams: Pick<LocalStreams, 'all' | 'size'>;
  }) {
    this.#engine = deps.engine;
    this.#localStreams = deps.localStreams;
  }

  /** `timeMs` is the time of day. */
  everySecond(timeMs: number): void {
    if (!isHalfDayEnding(timeMs)) {
      this.#rest = null;
      return;
    }
    if (this.#isAsking) return;
    const portion = this.#nextPortion();
    if (portion.length === 0) return;
    this.#isAsking = true;
    // The engine counts what failed. Who was in it is told of in the next walk.
    const asked = (): void => void (this.#isAsking = false);
    this.#engine.keep(portion).then(asked, asked);
  }

  #nextPortion(): RetainedStream[] {
    const steps = Math.max(PORTION_MIN, Math.ceil(this.#localStreams.size / WALK_SECONDS));
    const portion: RetainedStream[] = [];
    this.#rest ??= this.#localStreams.all();
    for (let step = 0; step < steps; step++) {
      const { done, value } = this.#rest.next();
      if (done === true) {
        this.#rest = null;
        break;
      }
      const retained = value.anyMember?.retained ?? null;
      if (retained !== null) portion.push(retained);
    }
    return portion;
  }
}
