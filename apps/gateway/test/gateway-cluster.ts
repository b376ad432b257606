import {
  createTopics,
  produce,
  signToken,
  startGateway,
  TEST_SECRET,
  uniqueName,
  WsClient,
  type GatewayOptions,
  type GatewayProcess,
  type ProducedRecord,
} from '@ws-gateway/testkit';

/** Names that clients and producers know; each cluster has Kafka topics of its own behind them. */
const TOPICS = ['balance-updates', 'user-blocks', 'notifications', 'wss'] as const;
export interface GatewayClusterOptions {
  /** Entries, one for each node: what its configuration has beyond the cluster's own. */
  readonly nodes?: readonly NodeOptions[];
  readonly topics?: Readonly<Partial<Record<string, object>>>;
  readonly partitions?: number;
}

export interface NodeOptions {
  readonly role?: 'all' | 'edge' | 'router';
  readonly config?: Readonly<Record<string, object>>;
  readonly env?: Readonly<Record<string, string>>;
}

interface Internals {
  readonly starts: readonly GatewayOptions[];
  readonly kafkaTopics: ReadonlyMap<string, string>;
}

/** Some gateway processes that share a Kafka group, topics and a Redis prefix which no other test uses. */
export class GatewayCluster {
  readonly nodes: GatewayProcess[];
  readonly group: string;
  readonly #starts: readonly GatewayOptions[];
  readonly #kafkaTopics: ReadonlyMap<string, string>;

  private constructor(nodes: GatewayProcess[], cluster: Pick<GatewayCluster, 'group'> & Internals) {
    this.nodes = nodes;
    this.group = cluster.group;
    this.#starts = cluster.starts;
    this.#kafkaTopics = cluster.kafkaTopics;
  }

  static async open(options: GatewayClusterOptions = {}): Promise<GatewayCluster> {
    const group = uniqueName('house');
    const names = [...new Set([...TOPICS, ...Object.keys(options.topics ?? {})])];
    const kafkaTopics = new Map(names.map((name) => [name, `${group}-${name}`]));
    await createTopics([...kafkaTopics.values()], options.partitions ?? 2);
    const topics = names.map(
      (name) => [name, { kafkaTopic: kafkaTopics.get(name), ...options.topics?.[name] }] as const,
    );
    const shared = {
      kafka: { groupId: group, topics: names },
      redis: { keyPrefix: group },
      topics: Object.fromEntries(topics),
      server: { drain: { duration: '500ms', deadline: '15s' } },
      backends: {},
    };
    const starts = (options.nodes ?? [{}]).map(({ role = 'all', config = {}, env = {} }) => ({
      config: { ...shared, role, ...merged(shared, config) },
      env,
    }));
    const nodes = await Promise.all(starts.map((start) => startGateway(start)));
    return new GatewayCluster(nodes, { group, starts, kafkaTopics });
  }

  /** Starts a new process in the place of one that is gone, on its port. */
  async restart(at: number): Promise<void> {
    this.nodes[at] = await startGateway({ ...this.#starts[at]!, port: this.nodes[at]!.port });
  }

  kafkaTopic(name: string): string {
    return this.#kafkaTopics.get(name)!;
  }

  get deadLetterTopic(): string {
    return `${this.group}-dlq`;
  }

  url(at: number, query: string): string {
    return `${this.nodes[at]!.wsUrl}/ws?${query}`;
  }

  /** Opens a socket and waits for `connected`. */
  async connect(at: number, user: string, topics: string, query = ''): Promise<WsClient> {
    const client = await WsClient.open(this.url(at, `token=${token(user)}&topics=${topics}${query}`));
    await client.next('connected');
    return client;
  }

  async produce(topic: string, ...records: ProducedRecord[]): Promise<void> {
    await produce(this.kafkaTopic(topic), records);
  }

  async close(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
  }
}

export function token(user: string, claims: Readonly<Record<string, unknown>> = {}): string {
  return signToken({ sub: user, ...claims }, TEST_SECRET);
}

/** Makes a record as a back-end team writes it. */
export function record(
  user: string,
  payload: unknown,
  members: Readonly<Record<string, unknown>> = {},
): ProducedRecord {
  return { key: user, value: { user_id: user, payload, ...members } };
}

function merged(
  shared: Readonly<Record<string, unknown>>,
  own: Readonly<Record<string, object>>,
): Record<string, unknown> {
  const entries = Object.entries(own).map(([key, value]) => {
    const both = Array.isArray(value) ? value : { ...(shared[key] as object | undefined), ...value };
    return [key, both] as const;
  });
  return Object.fromEntries(entries);
}
