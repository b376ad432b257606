import { Writable } from 'node:stream';

/** Bytes that may wait in the stream for a reader that has stopped reading. */
const WAITING_BYTES_MAX = 1024 * 1024;

/**
 * Stands before the stream that lines go to. It takes each line at once, so that nothing queues up behind it: a reader
 * that stops costs lines, never memory or time. When the reader reads again, one line says how many are missing. A
 * closed stream (EPIPE) is given up for good, and the process goes on.
 */
export class LineSink extends Writable {
  readonly #target: Writable;
  readonly #droppedLine: (dropped: number) => string;
  #dropped = 0;
  #broken = false;

  constructor(target: Writable, droppedLine: (dropped: number) => string) {
    super({ decodeStrings: false });
    this.#target = target;
    this.#droppedLine = droppedLine;
    // Without a listener a closed pipe would end the process; there is nowhere left to report it.
    target.on('error', () => {
      this.#broken = true;
    });
  }

  override _write(line: string, _encoding: string, done: () => void): void {
    this.#pass(line);
    done();
  }

  #pass(line: string): void {
    const target = this.#target;
    if (this.#broken || target.destroyed || target.writableEnded) return;
    if (target.writableLength > WAITING_BYTES_MAX) {
      this.#dropped++;
      return;
    }
    if (this.#dropped > 0) {
      target.write(`${this.#droppedLine(this.#dropped)}\n`);
      this.#dropped = 0;
    }
    target.write(line);
  }
}
