/**
 * Calls `action` each second, never two at a time, and not while nobody looks. `action` deals with its own failures.
 */
export function eachSecond(action: () => Promise<void>): void {
  let running = false;
  const tick = async (): Promise<void> => {
    if (running || document.hidden) return;
    running = true;
    await action().finally(() => (running = false));
  };
  void tick();
  setInterval(() => void tick(), 1000);
}
