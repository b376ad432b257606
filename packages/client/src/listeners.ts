type Listener = (detail: unknown) => unknown;

/** Listeners by name. What one of them throws, or rejects with, is told to `failed` and disturbs nobody else. */
export class Listeners {
  readonly #byName = new Map<string, Set<Listener>>();
  readonly #failed: (name: string, error: unknown) => void;

  constructor(failed: (name: string, error: unknown) => void) {
    this.#failed = failed;
  }

  /** Gives what takes it away again. The same function twice is two listeners. */
  add(name: string, listener: Listener): () => void {
    const own: Listener = (detail) => listener(detail);
    const listeners = this.#byName.get(name) ?? new Set();
    this.#byName.set(name, listeners.add(own));
    return () => {
      listeners.delete(own);
      if (listeners.size === 0 && this.#byName.get(name) === listeners) this.#byName.delete(name);
    };
  }

  emit(name: string, detail: unknown): void {
    const listeners = this.#byName.get(name);
    if (listeners === undefined) return;
    // A copy: a listener may add and remove others.
    for (const listener of [...listeners]) {
      try {
        const result = listener(detail) as Partial<PromiseLike<unknown>> | null | undefined;
        result?.then?.(undefined, (error: unknown) => this.#failed(name, error));
      } catch (error) {
        this.#failed(name, error);
      }
    }
  }
}
