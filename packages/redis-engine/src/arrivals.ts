import { isAnnouncedWhole } from './wire.js';

/** Measures how much comes at a time: in one answer of Redis, or in the announcements of one turn of the loop. */
export class Arrivals {
  #messages = 0;
  #bytes = 0;
  #count = 0;
  #largeCount = 0;

  /** Something has come since the last end. */
  get isUnderWay(): boolean {
    return this.#messages > 0;
  }

  add(messages: number, bytes: number): void {
    this.#messages += messages;
    this.#bytes += bytes;
  }

  end(): void {
    if (this.#messages === 0) return;
    this.#count++;
    if (!isAnnouncedWhole(this.#messages, this.#bytes)) this.#largeCount++;
    this.#messages = 0;
    this.#bytes = 0;
  }

  /** Share of what came since the last call that was more than is announced whole; 0 when nothing came. */
  takeLargeShare(): number {
    const share = this.#count === 0 ? 0 : this.#largeCount / this.#count;
    this.#count = 0;
    this.#largeCount = 0;
    return share;
  }
}
