import { mergeArrivals, type Arrivals } from './arrival-log.js';
import { userName, type LoadShape } from './load-record.js';
import type { WorkerState, WorkerTask } from './socket-worker.js';
import { ChildWorker, type WorkerOptions } from './child-worker.js';

export interface FleetOptions extends WorkerOptions {
  readonly shape: LoadShape;
  /** Addresses of the gateways; users are spread in blocks, so that a Kafka partition has users on each of them. */
  readonly targets: readonly { readonly host: string; readonly port: number }[];
  readonly topics: readonly string[];
  /** Makes a token for a user, by name. */
  readonly tokenOf: (user: string) => string;
  /** Number of processes that share the sockets. Default 1. */
  readonly workers?: number;
  /** Number of handshakes at a time in each process. Default 64. */
  readonly parallel?: number;
}

/** One socket for each user, held by processes of their own, so that receiving never waits for sending. */
export class SocketFleet {
  readonly #workers: readonly ChildWorker[];

  private constructor(workers: readonly ChildWorker[]) {
    this.#workers = workers;
  }

  /** Resolves when all sockets have got `connected`; rejects when one of them did not. */
  static async connect(options: FleetOptions): Promise<SocketFleet> {
    const { workers: count = 1, parallel = 64, shape, targets, topics, tokenOf } = options;
    const file = new URL('./socket-worker.js', import.meta.url);
    const fleet = new SocketFleet(Array.from({ length: count }, () => new ChildWorker(file, options)));
    const sockets = Array.from({ length: shape.users }, (_, user) => {
      const { host, port } = targets[Math.floor((user * targets.length) / shape.users)]!;
      return { user, host, port, token: tokenOf(userName(user)) };
    });
    const tasks = fleet.#workers.map((_, worker): WorkerTask => {
      const own = sockets.filter(({ user }) => user % count === worker);
      return { shape, topics, parallel, sockets: own };
    });
    const states = await fleet.#callAll<WorkerState>('connect', tasks).catch(async (error: unknown) => {
      await fleet.stop();
      throw error;
    });
    const { failed, failures } = sumOf(states);
    if (failed === 0) return fleet;
    await fleet.stop();
    throw new Error(`${failed} of ${shape.users} sockets did not connect: ${failures.join('; ')}`);
  }

  get pids(): readonly number[] {
    return this.#workers.map(({ pid }) => pid);
  }

  async state(): Promise<WorkerState> {
    return sumOf(await this.#callAll<WorkerState>('state'));
  }

  async arrivals(): Promise<Arrivals> {
    return mergeArrivals(await this.#callAll<Arrivals>('arrivals'));
  }

  /** Cuts all sockets. */
  async stop(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.stop()));
  }

  #callAll<T>(method: string, inputs: readonly unknown[] = []): Promise<T[]> {
    return Promise.all(this.#workers.map((worker, i) => worker.call<T>(method, inputs[i])));
  }
}

function sumOf(states: readonly WorkerState[]): WorkerState {
  const sum = (of: (state: WorkerState) => number): number => states.reduce((total, state) => total + of(state), 0);
  return {
    open: sum((state) => state.open),
    arrived: sum((state) => state.arrived),
    otherFrames: sum((state) => state.otherFrames),
    failed: sum((state) => state.failed),
    failures: states.flatMap(({ failures }) => failures),
  };
}
