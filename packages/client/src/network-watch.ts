export interface NetworkWatchHandlers {
  /** There is a network, maybe another one than before: what stands may be dead, what is waited for may succeed. */
  online(): void;
  /** What stands may be dead. */
  offline(): void;
  /** The page or the machine was asleep: what stands may be dead, and what is waited for is overdue. */
  awake(): void;
}

/** The part of `window` and `document` that is used; Node and React Native have neither. */
type Target = Partial<Pick<EventTarget, 'addEventListener' | 'removeEventListener'>>;

const TICK_MS = 10_000;
/** The clock of the day went on for so long while timers and the monotonic clock stood: the machine slept. */
const ASLEEP_MS = 5_000;

/**
 * Hears at once what timers would notice late: that the network came or went, that a page is looked at again or was
 * taken from the back/forward cache, that a laptop was opened. Only hints: whoever is told asks the other side.
 */
export class NetworkWatch {
  readonly #handlers: NetworkWatchHandlers;
  readonly #undo: (() => void)[] = [];

  constructor(handlers: NetworkWatchHandlers) {
    this.#handlers = handlers;
  }

  start(): void {
    const { online, offline, awake } = this.#handlers;
    const { document } = globalThis as { document?: Target & { readonly visibilityState?: string } };
    const window = globalThis as Target;
    this.#listen(window, 'online', online);
    this.#listen(window, 'offline', offline);
    this.#listen(window, 'pageshow', awake);
    this.#listen(document, 'resume', awake);
    this.#listen(document, 'visibilitychange', () => {
      if (document?.visibilityState === 'visible') awake();
    });
    this.#watchClock();
  }

  stop(): void {
    for (const undo of this.#undo.splice(0)) undo();
  }

  #listen(target: Target | undefined, name: string, listener: () => void): void {
    target?.addEventListener?.(name, listener);
    this.#undo.push(() => target?.removeEventListener?.(name, listener));
  }

  /** A step of the clock of the day looks the same; then somebody is asked in vain. */
  #watchClock(): void {
    const offset = (): number => Date.now() - performance.now();
    let known = offset();
    const timer = setInterval(() => {
      const before = known;
      known = offset();
      if (known - before > ASLEEP_MS) this.#handlers.awake();
    }, TICK_MS);
    // The client alone does not keep a program of Node alive; its connection does.
    (timer as { unref?: () => void }).unref?.();
    this.#undo.push(() => clearInterval(timer));
  }
}
