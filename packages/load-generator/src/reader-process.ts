import type { Arrivals } from './arrival-log.js';
import type { ConsumerTask } from './consumer-worker.js';
import { ChildWorker, type WorkerOptions } from './child-worker.js';

/** A process of its own that reads records and notes when they came. */
export class ReaderProcess {
  readonly #worker: ChildWorker;

  private constructor(worker: ChildWorker) {
    this.#worker = worker;
  }

  /** Resolves when it reads. The file answers `start` with a task, `received` and `arrivals`. */
  static async start(file: URL, task: unknown, options: WorkerOptions = {}): Promise<ReaderProcess> {
    const worker = new ChildWorker(file, options);
    await worker.call('start', task);
    return new ReaderProcess(worker);
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

/** The baseline: a kafkajs consumer that reads the records, notes the time and does nothing else. */
export function startBareConsumer(task: ConsumerTask, options: WorkerOptions = {}): Promise<ReaderProcess> {
  return ReaderProcess.start(new URL('./consumer-worker.js', import.meta.url), task, options);
}
