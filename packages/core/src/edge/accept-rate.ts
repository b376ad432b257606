/**
 * Handshakes a second on this node, as a bucket that holds one second's worth: a storm after a failure is spread over
 * time before it costs signature checks and engine calls.
 */
export class AcceptRate {
  readonly #perSecond: number;
  #left: number;
  #atMs = 0;

  /** 0: no limit. */
  constructor(perSecond: number) {
    this.#perSecond = perSecond;
    this.#left = perSecond;
  }

  take(nowMs: number): boolean {
    if (this.#perSecond === 0) return true;
    this.#left = Math.min(this.#perSecond, this.#left + ((nowMs - this.#atMs) * this.#perSecond) / 1000);
    this.#atMs = nowMs;
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }
}
