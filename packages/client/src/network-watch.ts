export interface NetworkHandlers {
  /** There is a network, maybe another one than before: what stands may be dead, what is waited for may succeed. */
  online(): void;
  /** Called when the network went away: the connection that stands may be dead. */
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
 * taken from the back/forward cache, that a laptop was opened. Only hints: whoever is told asks the other side. Gives
 * the function that ends it.
 */
export function watchNetwork({ online, offline, awake }: NetworkHandlers): () => void {
  const page = globalThis as Target & { readonly document?: Target & { readonly visibilityState?: string } };
  const { document } = page;
  const looked = (): void => {
    if (document?.visibilityState === 'visible') awake();
  };
  const listeners = [
    [page, 'online', online],
    [page, 'offline', offline],
    [page, 'pageshow', awake],
    [document, 'resume', awake],
    [document, 'visibilitychange', looked],
  ] as const;
  for (const [target, name, listener] of listeners) target?.addEventListener?.(name, listener);
  const stopClock = watchClock(awake);
  return () => {
    stopClock();
    for (const [target, name, listener] of listeners) target?.removeEventListener?.(name, listener);
  };
}

/** A step of the clock of the day looks the same; then somebody is asked in vain. */
function watchClock(awake: () => void): () => void {
  const offset = (): number => Date.now() - performance.now();
  let known = offset();
  const timer = setInterval(() => {
    const before = known;
    known = offset();
    if (known - before > ASLEEP_MS) awake();
  }, TICK_MS);
  // The client alone does not keep a program of Node alive; its connection does.
  (timer as { unref?: () => void }).unref?.();
  return () => clearInterval(timer);
}
