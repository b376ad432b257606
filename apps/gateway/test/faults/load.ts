import { setTimeout as delay } from 'node:timers/promises';
import { ListeningClients } from './listening-clients.js';
import { GatewayProcesses, type GatewayProcessesOptions } from './gateway-processes.js';
import { verdictOf, type Verdict } from './delivery-ledger.js';
import { scale, userNames } from './scale.js';
import { SteadyProducer } from './steady-producer.js';

export const TOPIC = 'notifications';
/** Time in ms that anything may take to arrive when no fault is under way any more. */
const SETTLE_MS = 45_000;
const BETWEEN_FAULTS_MS = 1000;

export interface LoadOptions extends GatewayProcessesOptions {
  readonly users?: readonly string[];
  /** Users who get records as well, and are not connected by this. */
  readonly others?: readonly string[];
  readonly rate?: number;
  readonly transactional?: boolean;
  readonly compacted?: boolean;
}

/** A cluster with its clients under a steady flow of records. */
export class Load {
  readonly cluster: GatewayProcesses;
  readonly clients: ListeningClients;
  readonly producer: SteadyProducer;

  private constructor(cluster: GatewayProcesses, clients: ListeningClients, producer: SteadyProducer) {
    this.cluster = cluster;
    this.clients = clients;
    this.producer = producer;
  }

  /** Resolves when everybody is connected and has got a record. */
  static async open(options: LoadOptions): Promise<Load> {
    const { users = userNames(), others = [], rate = scale.rate } = options;
    const { transactional = false, compacted = false } = options;
    const cluster = await GatewayProcesses.open(options);
    const clients = await ListeningClients.open({ users, topics: TOPIC, targets: cluster.targets });
    const kafkaTopic = cluster.kafkaTopic(TOPIC);
    const to = { brokers: cluster.brokers, kafkaTopic, users: [...users, ...others] };
    const producer = new SteadyProducer({ ...to, rate, transactional, compacted });
    const load = new Load(cluster, clients, producer);
    producer.start();
    await load.flows();
    return load;
  }

  /** Resolves when everybody has got a record that is produced from now on; returns the ms it took. */
  async flows(timeoutMs: number = SETTLE_MS): Promise<number> {
    const startedMs = performance.now();
    this.producer.sendToAll();
    await this.clients.reached(this.producer.newest(), timeoutMs);
    return performance.now() - startedMs;
  }

  /** Lets ordinary traffic flow between two faults: a fault that meets no records shows nothing. */
  async goOn(ms: number = BETWEEN_FAULTS_MS): Promise<void> {
    await delay(ms);
  }

  /** Ends the flow, waits until everybody has its end, and compares. */
  async verdict(options: { readonly fromKafka?: boolean } = {}): Promise<Verdict> {
    await this.producer.pause();
    // This sends a record to each user behind all others: whatever is late or doubled comes before it.
    await this.flows();
    this.producer.sendToAll();
    await this.producer.pause();
    await this.clients.reached(this.producer.newest(), SETTLE_MS);
    const produced = options.fromKafka ? await this.producer.inKafka() : this.producer.sent();
    return verdictOf(produced, this.clients.received);
  }

  async close(): Promise<void> {
    await this.clients.close();
    await this.producer.close();
    await this.cluster.close();
  }
}
