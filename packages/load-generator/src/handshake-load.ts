import type { HandshakeOutcome, HandshakeTask } from './handshake-worker.js';
import { ChildWorker, type WorkerOptions } from './child-worker.js';

/** Makes handshakes and nothing else, in a process of their own. */
export class HandshakeLoad {
  readonly #worker: ChildWorker;

  constructor(options: WorkerOptions = {}) {
    this.#worker = new ChildWorker(new URL('./handshake-worker.js', import.meta.url), options);
  }

  /** Resolves when each token's socket has got its first frame and was cut. Rejects when one of them did not get it. */
  async run(task: HandshakeTask): Promise<HandshakeOutcome> {
    const outcome = await this.#worker.call<HandshakeOutcome>('run', task);
    const { failed, failures } = outcome;
    if (failed > 0) throw new Error(`${failed} of ${task.tokens.length} handshakes failed: ${failures.join('; ')}`);
    return outcome;
  }

  async stop(): Promise<void> {
    await this.#worker.stop();
  }
}
