export interface SilenceHandlers {
  /** Nothing came for two heartbeats: ask. Resolves when there was an answer. */
  ask(timeoutMs: number): Promise<unknown>;
  /** There was none. */
  dead(): void;
}

/** Heartbeats without any frame before the other side is asked. */
const PATIENCE = 2;

/**
 * Notices a network that swallows everything: it closes no socket. The gateway's own pings can't be seen by a page, so
 * after two silent heartbeats the client asks, and takes no answer within one more for the end.
 */
export class SilenceWatch {
  readonly #handlers: SilenceHandlers;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #heartbeatMs = 0;
  #heardAt = 0;

  constructor(handlers: SilenceHandlers) {
    this.#handlers = handlers;
  }

  /** 0: the gateway has no heartbeat, and nothing is watched. */
  start(heartbeatMs: number): void {
    this.stop();
    this.#heartbeatMs = heartbeatMs;
    this.heard();
    if (heartbeatMs > 0) this.#arm();
  }

  /** A frame came. Cheap: the timer looks at the time when it fires. */
  heard(): void {
    this.#heardAt = performance.now();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #arm(): void {
    const silentMs = performance.now() - this.#heardAt;
    const waitMs = Math.max(0, PATIENCE * this.#heartbeatMs - silentMs);
    const timer = setTimeout(() => void this.#look(timer), waitMs);
    this.#timer = timer;
  }

  async #look(timer: ReturnType<typeof setTimeout>): Promise<void> {
    if (performance.now() - this.#heardAt < PATIENCE * this.#heartbeatMs) {
      this.#arm();
      return;
    }
    const askedAt = performance.now();
    const answered = await this.#handlers.ask(this.#heartbeatMs).then(
      () => true,
      // An answer that refuses is an answer; what counts is whether anything was heard.
      () => this.#heardAt > askedAt,
    );
    // Stopped or started anew while it was asking: another connection's matter.
    if (this.#timer !== timer) return;
    if (answered) this.#arm();
    else this.#handlers.dead();
  }
}
