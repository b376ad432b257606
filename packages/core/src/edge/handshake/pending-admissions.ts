import { endByDefect } from '../../defects.js';
import type { Admission, Refusal } from '../../transport.js';

/** Handshakes that are not decided yet. A drain refuses them at once, whatever they wait for. */
export class PendingAdmissions {
  readonly #giveUps = new Set<() => void>();

  /**
   * Resolves to the admission, or to a refusal when `refuseAll` comes first. An admission that comes too late is given to
   * `undo`. `admission` must not reject.
   */
  first(
    admission: Promise<Admission>,
    { refuse, undo }: { refuse: () => Refusal; undo: (late: Admission) => void },
  ): Promise<Admission> {
    const { promise, resolve } = Promise.withResolvers<Admission>();
    const giveUp = (): void => resolve({ admitted: false, refusal: refuse() });
    this.#giveUps.add(giveUp);
    const settle = (decided: Admission): void => {
      if (this.#giveUps.delete(giveUp)) resolve(decided);
      else undo(decided);
    };
    admission.then(settle).catch(endByDefect);
    return promise;
  }

  refuseAll(): void {
    for (const giveUp of this.#giveUps) {
      this.#giveUps.delete(giveUp);
      giveUp();
    }
  }
}
