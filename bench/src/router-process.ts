import { WorkerProcess, type Arrivals } from '@ws-gateway/loadtest';
import { GATEWAY_CORE } from './machine.js';
import type { RouterTask } from './router-worker.js';

/** A router alone on the gateway's core, whose engine throws everything away. */
export class RouterProcess {
  readonly #worker = new WorkerProcess(new URL('./router-worker.js', import.meta.url), { core: GATEWAY_CORE });

  static async start(task: RouterTask): Promise<RouterProcess> {
    const router = new RouterProcess();
    await router.#worker.call('start', task);
    return router;
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

  stop(): Promise<void> {
    return this.#worker.stop();
  }
}
