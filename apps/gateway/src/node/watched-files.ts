import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

const CHECK_MS = 2000;

/**
 * Looks at files again and again, and tells when what they hold has changed. By reading them: mounted secrets change by a
 * link far above the file, which the kernel's own notices miss.
 */
export class WatchedFiles {
  readonly #files: readonly string[];
  readonly #onChange: () => void;
  readonly #timer: NodeJS.Timeout;
  #digest: string;

  /** Calls `onChange` after each change. */
  constructor(files: readonly string[], onChange: () => void) {
    this.#files = files;
    this.#onChange = onChange;
    this.#digest = this.#read();
    this.#timer = setInterval(() => this.look(), CHECK_MS);
    this.#timer.unref();
  }

  /** Looks now, for who was just told that something is new. */
  look(): void {
    const digest = this.#read();
    if (digest === this.#digest) return;
    this.#digest = digest;
    this.#onChange();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #read(): string {
    const hash = createHash('sha256');
    for (const file of this.#files) hash.update(contentOf(file)).update('\0');
    return hash.digest('hex');
  }
}

function contentOf(file: string): Buffer | string {
  try {
    return readFileSync(file);
  } catch {
    // In the middle of a replacement; the next look finds it again.
    return 'missing';
  }
}
