import { Writable } from 'node:stream';

/** A stream that keeps what it is given; after `stop` it no longer reads. */
export class Capture extends Writable {
  text = '';
  isTTY = false;
  #stopped = false;
  #waiting: (() => void) | null = null;

  constructor() {
    super({ decodeStrings: false });
  }

  get lines(): string[] {
    return this.text.split('\n').slice(0, -1);
  }

  get events(): Record<string, unknown>[] {
    return this.lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  stop(): void {
    this.#stopped = true;
  }

  resume(): void {
    this.#stopped = false;
    this.#waiting?.();
    this.#waiting = null;
  }

  override _write(chunk: string, _encoding: string, done: () => void): void {
    this.text += chunk;
    if (this.#stopped) this.#waiting = done;
    else done();
  }
}
