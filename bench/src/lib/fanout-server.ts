import { userName, WorkerProcess } from '@ws-gateway/load-generator';
import { Crowd } from './crowd.js';
import { GATEWAY_CORE } from './machine.js';
import { addVerdicts, NO_VERDICT } from './report.js';
import { TOPIC, type BurstTask } from './fanout-frames.js';

const HOST = '127.0.0.1';
const QUIET_MS = 5_000;

export type Side = 'bare' | 'edge';

interface PartyOptions {
  readonly options: { readonly subscribers: number; readonly sampled: number };
  readonly profile: { readonly profileDir?: string };
}

/** One server and its clients. */
export class Party {
  verdict = NO_VERDICT;
  readonly #server: WorkerProcess;
  readonly #crowd: Crowd;

  private constructor(server: WorkerProcess, crowd: Crowd) {
    this.#server = server;
    this.#crowd = crowd;
  }

  static async start(side: Side, { options, profile }: PartyOptions): Promise<Party> {
    const { subscribers, sampled } = options;
    const file = new URL(`../workers/fanout-${side}-server.js`, import.meta.url);
    const server = new WorkerProcess(file, { core: GATEWAY_CORE, ...profile });
    try {
      const address = { host: HOST, port: await server.call<number>('listen'), path: `/ws?topics=${TOPIC}` };
      const targets = Array.from({ length: subscribers }, (_, user) => ({ ...address, token: userName(user) }));
      return new Party(server, await Crowd.connect({ targets, sampled, stalling: [] }));
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  /** Gives the seconds of CPU that the server took. */
  async burst(task: BurstTask): Promise<number> {
    await this.#crowd.begin({ records: task.messages, keys: 1 });
    const cpuSeconds = await this.#server.call<number>('burst', task);
    this.verdict = addVerdicts(this.verdict, await this.#crowd.finish(QUIET_MS));
    return cpuSeconds;
  }

  async stop(): Promise<void> {
    await this.#crowd.stop();
    await this.#server.stop();
  }
}
