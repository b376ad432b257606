import { createTopics, produce, signToken, startGateway, TEST_SECRET, uniqueName } from '@ws-gateway/testkit';
import type { GatewayProcess, ProducedRecord } from '@ws-gateway/testkit';
import { createClient, type Client, type ClientOptions, type Message } from '../src/index.js';

/** Edges for the clients, which tests may kill, and a router of its own, so that no kill costs a rebalance. */
export class TestGateways {
  readonly edges: GatewayProcess[];
  readonly #config: Readonly<Record<string, unknown>>;
  readonly #router: GatewayProcess;
  readonly #group: string;

  private constructor(nodes: readonly GatewayProcess[], group: string, config: Readonly<Record<string, unknown>>) {
    this.#config = config;
    this.edges = nodes.slice(1);
    this.#router = nodes[0]!;
    this.#group = group;
  }

  static async open(edges = 2): Promise<TestGateways> {
    const group = uniqueName('client');
    const names = ['balance-updates', 'user-blocks', 'notifications', 'wss', 'quotes'];
    await createTopics(
      names.map((name) => `${group}-${name}`),
      2,
    );
    const topics = names.map((name) => [name, { kafkaTopic: `${group}-${name}` }] as const);
    const config = {
      kafka: { groupId: group, topics: names },
      redis: { keyPrefix: group },
      topics: {
        ...Object.fromEntries(topics),
        notifications: { kafkaTopic: `${group}-notifications`, history: { size: 10_000 } },
        quotes: { kafkaTopic: `${group}-quotes`, format: 'json', map: { keyed: 'key' }, keysPerConnection: 3 },
      },
      rooms: { history: { size: 1000, ttl: '5m' } },
      server: { drain: { duration: '300ms', deadline: '15s' } },
      backends: {},
    };
    const roles = ['router', ...Array.from({ length: edges }, () => 'edge')];
    const nodes = await Promise.all(roles.map((role) => startGateway({ config: { ...config, role } })));
    return new TestGateways(nodes, group, config);
  }

  /** Starts a new process in the place of an edge that is gone, on its port. */
  async restart(at: number): Promise<void> {
    const { port } = this.edges[at]!;
    this.edges[at] = await startGateway({ config: { ...this.#config, role: 'edge' }, port });
  }

  /** In the order in which a client tries them. */
  get urls(): string[] {
    return this.edges.map(({ wsUrl }) => `${wsUrl}/ws`);
  }

  client(user: string, options: Partial<ClientOptions> = {}): Client {
    const backoff = { baseMs: 100, capMs: 500 };
    return createClient({ url: this.urls, token: token(user), topics: ['notifications'], backoff, ...options });
  }

  async produce(topic: string, ...records: ProducedRecord[]): Promise<void> {
    await produce(`${this.#group}-${topic}`, records);
  }

  async close(): Promise<void> {
    await Promise.all([this.#router, ...this.edges].map((node) => node.stop()));
  }
}

export function token(user: string, claims: Readonly<Record<string, unknown>> = {}): string {
  return signToken({ sub: user, ...claims }, TEST_SECRET);
}

export function record(user: string, payload: unknown): ProducedRecord {
  return { key: user, value: { user_id: user, payload } };
}

/** Keeps all that a client tells. */
export function watch(client: Client): { messages: Message[]; events: string[]; payloads(): unknown[] } {
  const messages: Message[] = [];
  const events: string[] = [];
  client.on('message', (message) => void messages.push(message));
  for (const name of ['connected', 'disconnected', 'reconnecting', 'recovered', 'lost', 'closed'] as const) {
    client.on(name, () => void events.push(name));
  }
  return { messages, events, payloads: () => messages.map(({ payload }) => payload) };
}
