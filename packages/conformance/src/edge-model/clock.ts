/** Counts what happens: says what was over before something else began. */
export class Clock {
  #now = 0;

  tick(): number {
    return ++this.#now;
  }
}
