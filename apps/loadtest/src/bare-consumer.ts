import type { Arrivals } from './arrival-log.js';
import type { ConsumerTask } from './consumer-worker.js';
import { WorkerProcess, type WorkerOptions } from './worker-process.js';

/** The baseline: a kafkajs consumer that reads the records, notes the time and does nothing else. */
export class BareConsumer {
  readonly #worker: WorkerProcess;

  private constructor(worker: WorkerProcess) {
    this.#worker = worker;
  }

  /** Resolves when it has its partitions. */
  static async start(task: ConsumerTask, options: WorkerOptions = {}): Promise<BareConsumer> {
    const worker = new WorkerProcess(new URL('./consumer-worker.js', import.meta.url), options);
    await worker.call('start', task);
    return new BareConsumer(worker);
  }

  get pid(): number {
    return this.#worker.pid;
  }

  received(): Promise<number> {
    return this.#worker.call('received');
  }

  arrivals(): Promise<Arrivals> {
    return this.#worker.call('arrivals');
  }

  async stop(): Promise<void> {
    await this.#worker.stop();
  }
}
