import { endByDefect, type Position, type RetainedStream } from '@ws-gateway/core';
import type { Calls } from './calls.js';
import { epochForLook, epochToKeep } from './epoch.js';
import { metaTtlMs, partitionOfStream, toPositions } from './history.js';
import type { Keys } from './keys.js';

/** Streams in one script run: nobody else is served meanwhile. */
const STREAMS_PER_CALL = 256;

/** A stream whose top somebody waits for. */
interface Asked extends PromiseWithResolvers<Position> {
  readonly stream: RetainedStream;
}

/**
 * Reads tops of streams. What is asked for in one turn of the loop is one call a partition, in which each stream is asked
 * for once: clients that come in a crowd have most of their shared streams in common.
 */
export class TopReads {
  readonly #calls: Calls;
  readonly #keys: Keys;
  #asked = new Map<string, Asked>();

  constructor(calls: Calls, keys: Keys) {
    this.#calls = calls;
    this.#keys = keys;
  }

  /** Resolves to positions in the order asked; rejects with EngineError. */
  of(streams: readonly RetainedStream[]): Promise<Position[]> {
    return Promise.all(streams.map((stream) => this.#topOf(stream)));
  }

  /** See Engine.keep. */
  async keep(streams: readonly RetainedStream[]): Promise<void> {
    await Promise.all(this.#chunks(streams, (stream) => stream).map((chunk) => this.#call(chunk, epochToKeep)));
  }

  #topOf(stream: RetainedStream): Promise<Position> {
    if (this.#asked.size === 0) setImmediate(() => this.#write());
    const asked = this.#asked.get(stream.stream) ?? { stream, ...Promise.withResolvers<Position>() };
    this.#asked.set(stream.stream, asked);
    return asked.promise;
  }

  #write(): void {
    const asked = [...this.#asked.values()];
    this.#asked = new Map();
    for (const chunk of this.#chunks(asked, ({ stream }) => stream)) this.#run(chunk).catch(endByDefect);
    this.#calls.send();
  }

  /** Never rejects. */
  async #run(chunk: readonly Asked[]): Promise<void> {
    try {
      const streams = chunk.map(({ stream }) => stream);
      const positions = await this.#call(streams, epochForLook);
      for (const [at, { resolve }] of chunk.entries()) resolve(positions[at]!);
    } catch (error) {
      for (const { reject } of chunk) reject(error);
    }
  }

  async #call(streams: readonly RetainedStream[], epochFor: typeof epochForLook): Promise<Position[]> {
    const partition = partitionOfStream(this.#keys, streams[0]!);
    const link = this.#calls.of(partition);
    const args = [epochFor(link), ...streams.flatMap(({ stream, retention }) => [stream, metaTtlMs(retention)])];
    return toPositions(await link.run<string[]>('positions', { keys: [this.#keys.base(partition)], args }));
  }

  /** Parts for one call each: of one partition, and not too many. */
  #chunks<Item>(items: readonly Item[], streamOf: (item: Item) => RetainedStream): Item[][] {
    const chunks: Item[][] = [];
    const filling = new Map<number, Item[]>();
    for (const item of items) {
      const partition = partitionOfStream(this.#keys, streamOf(item));
      let chunk = filling.get(partition);
      if (chunk === undefined || chunk.length === STREAMS_PER_CALL) {
        filling.set(partition, (chunk = []));
        chunks.push(chunk);
      }
      chunk.push(item);
    }
    return chunks;
  }
}
