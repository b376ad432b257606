import { ChildWorker } from '@ws-gateway/load-generator';
import { GATEWAY_CORE } from './machine.js';

/** The baseline: uWebSockets.js without a gateway. It upgrades every handshake at once and sends one frame. */
export class BareServer {
  readonly host = '127.0.0.1';
  readonly port: number;
  readonly #worker: ChildWorker;

  private constructor(worker: ChildWorker, port: number) {
    this.#worker = worker;
    this.port = port;
  }

  /** Starts it on the gateway's core. `frameBytes` is the size of the gateway's own first frame. */
  static async start(frameBytes: number): Promise<BareServer> {
    const worker = new ChildWorker(new URL('../workers/bare-server-worker.js', import.meta.url), {
      core: GATEWAY_CORE,
    });
    return new BareServer(worker, await worker.call<number>('listen', { frameBytes }));
  }

  get pid(): number {
    return this.#worker.pid;
  }

  async stop(): Promise<void> {
    await this.#worker.stop();
  }
}
