/** Counts events, so that a test can say what was over before something else began. */
export class Clock {
  #now = 0;

  tick(): number {
    return ++this.#now;
  }
}
