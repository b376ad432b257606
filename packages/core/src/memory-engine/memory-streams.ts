import type { RetainedStream, StreamName } from '../streams.js';
import { MemoryStream, newEpoch } from './memory-stream.js';
import { UnwrittenEpochs } from './unwritten-epochs.js';

/** The streams that were written or are to be kept, by name. Nothing is kept of others, whoever looks at them. */
export class MemoryStreams {
  readonly #streams = new Map<StreamName, MemoryStream>();
  readonly #unwritten = new UnwrittenEpochs(newEpoch());
  readonly #clock: () => number;

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  get(name: StreamName): MemoryStream | undefined {
    return this.#streams.get(name);
  }

  /** The stream for those who only look: one that was never written is made for them. */
  look(name: StreamName): MemoryStream {
    return this.#streams.get(name) ?? new MemoryStream(name, this.#unwritten.of(name, this.#clock()));
  }

  /** The stream for who writes to it, or wants to have it kept as it is. */
  obtain(name: StreamName): MemoryStream {
    let stream = this.#streams.get(name);
    if (stream === undefined) this.#streams.set(name, (stream = this.look(name)));
    return stream;
  }

  /** Returns the number of messages that were kept; null: it was never written. */
  erase({ stream, retention }: RetainedStream): number | null {
    const nowMs = this.#clock();
    const written = this.#streams.get(stream);
    this.#streams.delete(stream);
    if (written === undefined || written.offset === 0) return null;
    this.#unwritten.erase(stream, nowMs);
    return written.kept(retention, nowMs);
  }

  sweep(nowMs: number): void {
    this.#unwritten.sweep(nowMs);
    for (const [name, stream] of this.#streams) if (stream.isForgotten(nowMs)) this.#streams.delete(name);
  }
}
