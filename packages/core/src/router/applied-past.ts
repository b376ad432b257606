const KEPT_MS = 60_000;
const STEP_MS = 1000;

/** Up to where a partition was applied during the last minute: what a store that lost its newest writes has to be given again. */
export class AppliedPast {
  /** Oldest first, one a second; the first is at least a minute old, or the beginning. */
  readonly #steps: { readonly atMs: number; readonly offset: number }[];

  /** `offset`: all before it was applied longer ago than a minute, or is nobody's concern. */
  constructor(offset: number) {
    this.#steps = [{ atMs: -Infinity, offset }];
  }

  /** All before this offset is applied now. */
  note(nowMs: number, offset: number): void {
    const steps = this.#steps;
    if (nowMs - steps.at(-1)!.atMs < STEP_MS) return;
    steps.push({ atMs: nowMs, offset });
    while (steps[1]!.atMs <= nowMs - KEPT_MS) steps.shift();
  }

  /** What is behind this offset has to be applied again. */
  goBack(offset: number): void {
    const steps = this.#steps;
    while (steps.length > 1 && steps.at(-1)!.offset > offset) steps.pop();
    if (steps[0]!.offset > offset) steps[0] = { atMs: -Infinity, offset };
  }

  /** All before it was applied a minute ago. */
  get minuteAgo(): number {
    return this.#steps[0]!.offset;
  }
}
