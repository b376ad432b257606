import {
  createTopics,
  startGateway,
  testBrokers,
  testRedisUrl,
  uniqueName,
  type Exit,
  type GatewayProcess,
} from '@ws-gateway/testkit';

export interface NodeSpec {
  readonly role: 'all' | 'edge' | 'router';
  /** Port of this machine at which this node finds Redis: that of a TcpProxy, say. */
  readonly redisPort?: number;
  /** Names of the topics that it knows; default: all. */
  readonly topics?: readonly string[];
  /** Path of the program of another release. */
  readonly program?: string;
  /** Kafka of this node; default: that of all. */
  readonly brokers?: string;
  /** false: `start` waits for nothing but its port. */
  readonly ready?: false;
}

export interface GatewayProcessesOptions {
  readonly nodes: readonly NodeSpec[];
  readonly brokers?: string;
  readonly redisAddress?: string;
  /** More of the configuration of Kafka: the nodes may reach it otherwise than the test does. */
  readonly kafka?: Readonly<Record<string, unknown>>;
  /** More of the configuration of Redis. */
  readonly redis?: Readonly<Record<string, unknown>>;
  readonly topics?: Readonly<Record<string, object>>;
  readonly partitions?: number;
  readonly drain?: { readonly duration: string; readonly deadline: string };
  readonly heartbeat?: string;
}

/** History long enough for the longest fault: what a client misses is in it when the client comes back. */
const HISTORY = { size: 2000, ttl: '1h' };

/** Gateway processes of one Kafka group and Redis prefix, to be killed and replaced while clients are there. */
export class GatewayProcesses {
  readonly group = uniqueName('fault');
  readonly brokers: string;
  readonly #options: GatewayProcessesOptions;
  readonly #running: { readonly spec: NodeSpec; readonly process: GatewayProcess }[] = [];

  private constructor(options: GatewayProcessesOptions) {
    this.#options = options;
    this.brokers = options.brokers ?? testBrokers();
  }

  static async open(options: GatewayProcessesOptions): Promise<GatewayProcesses> {
    const cluster = new GatewayProcesses(options);
    const kafkaTopics = cluster.#topicNames().map((name) => cluster.kafkaTopic(name));
    await createTopics(kafkaTopics, options.partitions ?? 4, { brokers: cluster.brokers });
    try {
      for (const started of await Promise.allSettled(options.nodes.map((spec) => cluster.start(spec)))) {
        if (started.status === 'rejected') throw started.reason;
      }
      // They came when they were ready.
      cluster.#running.sort((a, b) => options.nodes.indexOf(a.spec) - options.nodes.indexOf(b.spec));
    } catch (error) {
      await cluster.close();
      throw error;
    }
    return cluster;
  }

  kafkaTopic(name: string): string {
    return `${this.group}-${name}`;
  }

  /** Nodes that run: those of the options in their order, then those that were started later. */
  get nodes(): GatewayProcess[] {
    return this.#running.map(({ process }) => process);
  }

  get routers(): GatewayProcess[] {
    return this.#running.filter(({ spec }) => spec.role !== 'edge').map(({ process }) => process);
  }

  get edges(): GatewayProcess[] {
    return this.#running.filter(({ spec }) => spec.role !== 'router').map(({ process }) => process);
  }

  /** Returns the addresses that clients connect to. */
  readonly targets = (): string[] => this.edges.map(({ wsUrl }) => wsUrl);

  async start(spec: NodeSpec): Promise<GatewayProcess> {
    const names = spec.topics ?? this.#topicNames();
    const topics = names.map(
      (name) => [name, { kafkaTopic: this.kafkaTopic(name), ...this.#options.topics?.[name] }] as const,
    );
    const redisAddress = this.#options.redisAddress ?? new URL(testRedisUrl()).host;
    const process = await startGateway({
      ...(spec.program !== undefined && { program: spec.program }),
      ...(spec.ready === false && { ready: false }),
      config: {
        role: spec.role,
        kafka: {
          ...{ bootstrapServers: spec.brokers ?? this.brokers, groupId: this.group, topics: names },
          ...this.#options.kafka,
        },
        redis: {
          addr: spec.redisPort === undefined ? redisAddress : `127.0.0.1:${spec.redisPort}`,
          keyPrefix: this.group,
          ...this.#options.redis,
        },
        topics: Object.fromEntries(topics.map(withHistory)),
        server: {
          heartbeat: this.#options.heartbeat ?? '25s',
          drain: this.#options.drain ?? { duration: '500ms', deadline: '20s' },
        },
        backends: {},
      },
    });
    this.#running.push({ spec, process });
    return process;
  }

  /** Sends SIGKILL. */
  async kill(node: GatewayProcess): Promise<Exit> {
    this.#forget(node);
    return node.kill();
  }

  /** Sends SIGTERM. The node is no target any more from this moment on. */
  async stop(node: GatewayProcess): Promise<Exit> {
    this.#forget(node);
    return node.stop();
  }

  async close(): Promise<void> {
    await Promise.all(this.#running.splice(0).map(({ process }) => process.stop()));
  }

  #forget(node: GatewayProcess): void {
    const at = this.#running.findIndex(({ process }) => process === node);
    if (at >= 0) this.#running.splice(at, 1);
  }

  #topicNames(): string[] {
    return [...new Set(['notifications', 'user-blocks', ...Object.keys(this.#options.topics ?? {})])];
  }
}

function withHistory([name, topic]: readonly [string, object]): [string, object] {
  return name === 'notifications' ? [name, { history: HISTORY, ...topic }] : [name, topic];
}

/** Reads the value of a metric: without labels the sum over them, and 0 for one that is not there yet. */
export async function metric(node: GatewayProcess, name: string): Promise<number> {
  const text = await (await fetch(`${node.httpUrl}/metrics`)).text();
  let sum = 0;
  for (const line of text.split('\n')) {
    const [series = '', value] = line.split(' ');
    if (series === `ws_gateway_${name}` || series.startsWith(`ws_gateway_${name}{`)) sum += Number(value);
  }
  return sum;
}
