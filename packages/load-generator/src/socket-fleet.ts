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
  /** A topic of keys: each socket names those of its users, by their names. */
  readonly keyed?: string;
  /** Each socket enters the room that is called like its user. */
  readonly rooms?: boolean;
  /** Number of processes that share the sockets. Default 1. */
  readonly workers?: number;
  /** Number of handshakes at a time in each process. Default 64. */
  readonly parallel?: number;
}

/**
 * One socket for each user, or for some that follow each other (`LoadShape.perSocket`), held by processes of their own, so
 * that receiving never waits for sending.
 */
export class SocketFleet {
  readonly #workers: readonly ChildWorker[];

  private constructor(workers: readonly ChildWorker[]) {
    this.#workers = workers;
  }

  /** Resolves when all sockets have got `connected`; rejects when one of them did not. */
  static async connect(options: FleetOptions): Promise<SocketFleet> {
    const { workers: count = 1, parallel = 64, shape, targets, topics, tokenOf, rooms = false } = options;
    const { users, perSocket = 1 } = shape;
    const file = new URL('./socket-worker.js', import.meta.url);
    const fleet = new SocketFleet(Array.from({ length: count }, () => new ChildWorker(file, options)));
    const sockets = Array.from({ length: Math.ceil(users / perSocket) }, (_, at) => {
      const user = at * perSocket;
      const { host, port } = targets[Math.floor((user * targets.length) / users)]!;
      const keys = Array.from({ length: Math.min(perSocket, users - user) }, (__, key) => userName(user + key));
      const query = options.keyed === undefined ? '' : `&keys.${options.keyed}=${keys.join(',')}`;
      return { user, host, port, token: tokenOf(userName(user)), query };
    });
    const tasks = fleet.#workers.map((_, worker): WorkerTask => {
      const own = sockets.filter((_socket, at) => at % count === worker);
      return { shape, topics, parallel, sockets: own, rooms };
    });
    const states = await fleet.#callAll<WorkerState>('connect', tasks).catch(async (error: unknown) => {
      await fleet.stop();
      throw error;
    });
    const { failed, failures } = sumOf(states);
    if (failed === 0) return fleet;
    await fleet.stop();
    throw new Error(`${failed} of ${sockets.length} sockets did not connect: ${failures.join('; ')}`);
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
