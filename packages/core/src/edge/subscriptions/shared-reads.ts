import type { Engine, HistoryPage } from '../../engine.js';
import type { Position, RetainedStream } from '../../streams.js';

interface ReadFrom {
  readonly after: Position | null;
  /** Bytes of frames in the page. */
  readonly bytesMax: number;
}

/**
 * Reads of history that many want at once: after a node has gone, all its subscribers of a shared stream come back with
 * the same position. One read serves them all, and its frames are the same bytes for each.
 *
 * A page may be used by a joining connection only if it reaches the top that the connection was told: what came behind
 * that top it holds itself, what came before it must be in the page, or in those that follow it.
 */
export class SharedReads {
  readonly #engine: Engine;
  readonly #underWay = new Map<string, Promise<HistoryPage>>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** `bytesMax` is the same for all reads of a stream. */
  async read(stream: RetainedStream, from: ReadFrom, top: Position): Promise<HistoryPage> {
    const { after } = from;
    const key = `${stream.stream} ${after === null ? '' : `${after.epoch} ${after.offset}`}`;
    const page = await this.#pending(key, stream, from);
    if (page.epoch === top.epoch && page.offset >= top.offset) return page;
    // Asked before this connection was: the next one is not.
    return this.#pending(key, stream, from);
  }

  #pending(key: string, stream: RetainedStream, { after, bytesMax }: ReadFrom): Promise<HistoryPage> {
    const known = this.#underWay.get(key);
    if (known !== undefined) return known;
    const reading = this.#engine
      .read(stream, after, stream.retention.size, bytesMax)
      .finally(() => this.#underWay.get(key) === reading && this.#underWay.delete(key));
    this.#underWay.set(key, reading);
    return reading;
  }
}
