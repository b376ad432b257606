/** Time in ms: a join that lasts longer while heartbeats of the generation before succeed has been given up. */
const GIVEN_UP_MS = 3_000;

/**
 * Whether a member is joining its group. A coordinator that goes away in the middle of a join makes kafkajs forget the join.
 * When it comes back it knows the member as before: heartbeats succeed, and nothing would ever be read again.
 */
export class JoinWatch {
  #joining = true;
  #sinceMs = Number.POSITIVE_INFINITY;

  get joining(): boolean {
    return this.#joining;
  }

  begin(): void {
    if (!this.#joining) this.#sinceMs = performance.now();
    this.#joining = true;
  }

  end(): void {
    this.#joining = false;
    this.#sinceMs = Number.POSITIVE_INFINITY;
  }

  /** A heartbeat succeeded. Tells, once, that the join was given up. */
  heard(): boolean {
    if (performance.now() - this.#sinceMs <= GIVEN_UP_MS) return false;
    this.#sinceMs = Number.POSITIVE_INFINITY;
    return true;
  }
}
