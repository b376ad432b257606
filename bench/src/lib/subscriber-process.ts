import { settled, ChildWorker, type SocketTarget, type Verdict } from '@ws-gateway/load-generator';
import type { SubscriberRun, SubscriberTask } from '../workers/subscriber-worker.js';

/** Sockets that all get the same records, in a process of their own. A few read each frame, the others count bytes. */
export class SubscriberProcess {
  readonly #worker: ChildWorker;
  readonly #size: number;

  private constructor(worker: ChildWorker, size: number) {
    this.#worker = worker;
    this.#size = size;
  }

  /** Resolves when all sockets have got their first frame. */
  static async connect(task: SubscriberTask): Promise<SubscriberProcess> {
    const worker = new ChildWorker(new URL('../workers/subscriber-worker.js', import.meta.url));
    try {
      await worker.call('connect', task);
    } catch (error) {
      await worker.stop();
      throw error;
    }
    return new SubscriberProcess(worker, task.targets.length + task.stalling.length);
  }

  get pid(): number {
    return this.#worker.pid;
  }

  async begin(run: SubscriberRun): Promise<void> {
    await this.#worker.call('begin', run);
  }

  /** Resolves when all sockets that read have all records, or nothing comes any more. Tells what is wrong. */
  async finish(quietMs: number): Promise<Verdict> {
    await settled(async () => this.#size - (await this.#worker.call<number>('pending')), this.#size, quietMs);
    return this.#worker.call<Verdict>('verdict');
  }

  /** Latency in ms of the records from `first` on, at each socket that reads frames. */
  latencies(sentAt: Float64Array, first: number): Promise<Float64Array> {
    return this.#worker.call('latencies', { sentAt, first });
  }

  async stall(): Promise<void> {
    await this.#worker.call('stall');
  }

  async replaceStalled(targets: readonly SocketTarget[]): Promise<void> {
    await this.#worker.call('replaceStalled', targets);
  }

  async stop(): Promise<void> {
    await this.#worker.stop();
  }
}
