import type { ChurnState, ChurnTask } from './churn-worker.js';
import { ChildWorker, type WorkerOptions } from './child-worker.js';

/** Sockets that come and go at a steady rate, made by a process of their own. */
export class Churn {
  readonly #worker: ChildWorker;

  private constructor(worker: ChildWorker) {
    this.#worker = worker;
  }

  static async start(task: ChurnTask, options: WorkerOptions = {}): Promise<Churn> {
    const worker = new ChildWorker(new URL('./churn-worker.js', import.meta.url), options);
    await worker.call('start', task);
    return new Churn(worker);
  }

  get pid(): number {
    return this.#worker.pid;
  }

  state(): Promise<ChurnState> {
    return this.#worker.call('state');
  }

  /** Cuts all sockets. */
  async stop(): Promise<void> {
    await this.#worker.stop();
  }
}
