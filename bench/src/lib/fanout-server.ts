import { userName, ChildWorker } from '@ws-gateway/load-generator';
import { SubscriberProcess } from './subscriber-process.js';
import { GATEWAY_CORE } from './machine.js';
import { addVerdicts, NO_VERDICT } from './report.js';
import { TOPIC, type BurstTask } from './fanout-frames.js';

const HOST = '127.0.0.1';
const QUIET_MS = 5_000;

export type Side = 'bare' | 'edge';

interface ServerUnderTestOptions {
  readonly options: { readonly subscribers: number; readonly sampled: number };
  readonly profile: { readonly profileDir?: string };
}

/** One server and its clients. */
export class ServerUnderTest {
  verdict = NO_VERDICT;
  readonly #server: ChildWorker;
  readonly #subscribers: SubscriberProcess;

  private constructor(server: ChildWorker, subscribers: SubscriberProcess) {
    this.#server = server;
    this.#subscribers = subscribers;
  }

  static async start(side: Side, { options, profile }: ServerUnderTestOptions): Promise<ServerUnderTest> {
    const { subscribers, sampled } = options;
    const file = new URL(`../workers/fanout-${side}-server.js`, import.meta.url);
    const server = new ChildWorker(file, { core: GATEWAY_CORE, ...profile });
    try {
      const address = { host: HOST, port: await server.call<number>('listen'), path: `/ws?topics=${TOPIC}` };
      const targets = Array.from({ length: subscribers }, (_, user) => ({ ...address, token: userName(user) }));
      return new ServerUnderTest(server, await SubscriberProcess.connect({ targets, sampled, stalling: [] }));
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  /** Runs a burst; returns the seconds of CPU that the server took. */
  async burst(task: BurstTask): Promise<number> {
    await this.#subscribers.begin({ records: task.messages, keys: 1 });
    const cpuSeconds = await this.#server.call<number>('burst', task);
    this.verdict = addVerdicts(this.verdict, await this.#subscribers.finish(QUIET_MS));
    return cpuSeconds;
  }

  async stop(): Promise<void> {
    await this.#subscribers.stop();
    await this.#server.stop();
  }
}
