/** Keeps things by the logarithm of their weight: finding one of the heaviest costs the same however many there are. */
export class WeightClasses<T> {
  readonly #classes = new Map<number, Set<T>>();

  /** Without any weight a thing is not kept. */
  move(thing: T, before: number, after: number): void {
    const [from, to] = [classOf(before), classOf(after)];
    if (from === to) return;
    this.#classes.get(from)?.delete(thing);
    if (to === 0) return;
    const things = this.#classes.get(to);
    if (things === undefined) this.#classes.set(to, new Set([thing]));
    else things.add(thing);
  }

  /** One of the heaviest class, if it has more than twice the weight at any rate. */
  heavierThan(weight: number): T | undefined {
    for (let weightClass = CLASSES - 1; weightClass > classOf(weight) + 1; weightClass--) {
      for (const thing of this.#classes.get(weightClass) ?? []) return thing;
    }
    return undefined;
  }

  clear(): void {
    this.#classes.clear();
  }
}

const CLASSES = 33;

/** Numbers of as many binary digits are one class. */
function classOf(weight: number): number {
  return 32 - Math.clz32(weight);
}
