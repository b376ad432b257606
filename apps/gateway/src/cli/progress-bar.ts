import type { Progress } from '@ws-gateway/load-generator';

const WIDTH = 30;

type Terminal = Pick<NodeJS.WriteStream, 'isTTY' | 'write'>;

/** A bar that is drawn over itself on a terminal; elsewhere one line for each phase. */
export class ProgressBar {
  readonly #stream: Terminal;
  #phase = '';

  constructor(stream: Terminal) {
    this.#stream = stream;
  }

  show({ phase, done, total }: Progress): void {
    if (!this.#stream.isTTY) {
      if (phase !== this.#phase) this.#stream.write(`${phase} ${total}\n`);
    } else {
      const filled = Math.round((WIDTH * Math.min(done, total)) / total);
      const bar = '#'.repeat(filled).padEnd(WIDTH, '.');
      this.#stream.write(`\r\u001b[K${phase} [${bar}] ${done} of ${total}`);
    }
    this.#phase = phase;
  }

  /** Ends the bar: what comes next begins on a line of its own. */
  end(): void {
    if (this.#stream.isTTY && this.#phase !== '') this.#stream.write('\r\u001b[K');
  }
}
