export interface SilenceHandlers {
  /** Asks the other side. Resolves when there was an answer. */
  ask(timeoutMs: number): Promise<unknown>;
  /** There was none. */
  dead(): void;
}

/** Heartbeats without any frame before the other side is asked. */
const PATIENCE = 1.5;
const ANSWER_MS = 5_000;

/**
 * Notices a network that swallows everything: it closes no socket. The gateway's own pings cannot be seen by a page, so
 * after one and a half silent heartbeats, or when there is a reason to doubt, the client asks, and takes no answer
 * within 5 s (a heartbeat, if that is shorter) for the end.
 */
export class SilenceWatch {
  readonly #handlers: SilenceHandlers;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #heartbeatMs = 0;
  #heardAt = 0;
  /** Connection that is watched; null: none is. */
  #turn: object | null = null;
  #asking = false;

  constructor(handlers: SilenceHandlers) {
    this.#handlers = handlers;
  }

  /** Starts to watch. 0: the gateway has no heartbeat; it is asked only by `probe`. */
  start(heartbeatMs: number): void {
    this.stop();
    this.#heartbeatMs = heartbeatMs;
    this.#turn = {};
    this.heard();
    this.#arm();
  }

  /** A frame came. Cheap: the timer looks at the time when it fires. */
  heard(): void {
    this.#heardAt = performance.now();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#turn = null;
    this.#asking = false;
  }

  /** Asks now. */
  async probe(): Promise<void> {
    const turn = this.#turn;
    if (turn === null || this.#asking) return;
    this.#asking = true;
    clearTimeout(this.#timer);
    const askedAt = performance.now();
    const answered = await this.#handlers.ask(Math.min(ANSWER_MS, this.#heartbeatMs || ANSWER_MS)).then(
      () => true,
      // An answer that refuses is an answer; what counts is whether anything was heard.
      () => this.#heardAt > askedAt,
    );
    // Stopped or started anew while it was asking: another connection's matter.
    if (this.#turn !== turn) return;
    this.#asking = false;
    if (!answered) {
      this.#handlers.dead();
      return;
    }
    this.heard();
    this.#arm();
  }

  #arm(): void {
    if (this.#heartbeatMs === 0) return;
    const silentMs = performance.now() - this.#heardAt;
    this.#timer = setTimeout(() => this.#look(), Math.max(0, PATIENCE * this.#heartbeatMs - silentMs));
  }

  #look(): void {
    if (performance.now() - this.#heardAt < PATIENCE * this.#heartbeatMs) this.#arm();
    else void this.probe();
  }
}
