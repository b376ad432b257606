import { waitFor } from '@ws-gateway/testkit';

/** Does something over and over, one after the other; what fails is kept. */
export class Repeated {
  readonly failures: string[] = [];
  rounds = 0;
  #ended = false;
  readonly #running: Promise<void>;

  constructor(once: () => Promise<unknown>) {
    this.#running = this.#run(once);
  }

  /** Resolves when a round that began after this call has been done. */
  async another(): Promise<void> {
    const wanted = this.rounds + 2;
    await waitFor(() => this.rounds >= wanted, { what: 'another round' });
  }

  async end(): Promise<void> {
    this.#ended = true;
    await this.#running;
  }

  async #run(once: () => Promise<unknown>): Promise<void> {
    while (!this.#ended) {
      await once().catch((error: unknown) => this.failures.push(String(error)));
      this.rounds++;
    }
  }
}
