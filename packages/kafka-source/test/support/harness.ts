import type {
  AssignedPartition,
  CommittedOffset,
  Logger,
  ReadUpTo,
  RecordSink,
  SourceRecord,
  TopicSight,
} from '@ws-gateway/core';
import { testBrokers, uniqueName } from '@ws-gateway/testkit';
import { KafkajsRecordSource, type KafkajsRecordSourceOptions } from '../../src/index.js';

interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Keeps what is logged above debug. */
export class LogBook implements Logger {
  readonly lines: LogLine[] = [];
  error(message: string, fields = {}): void {
    this.lines.push({ level: 'error', message, fields });
  }
  warn(message: string, fields = {}): void {
    this.lines.push({ level: 'warn', message, fields });
  }
  info(message: string, fields = {}): void {
    this.lines.push({ level: 'info', message, fields });
  }
  debug(): void {}
  child(): Logger {
    return this;
  }
  has(message: string): boolean {
    return this.lines.some((line) => line.message.includes(message));
  }
}

interface ReceivedRecord extends SourceRecord {
  readonly topic: string;
  readonly partition: number;
}

/** Keeps what it is given, and checks the seam's rules: nothing outside of an assignment, each partition in order. */
export class RecordingSink implements RecordSink {
  readonly received: ReceivedRecord[] = [];
  readonly owned = new Map<string, AssignedPartition>();
  readonly violations: string[] = [];
  /** Offset of the next record of each partition while it is owned. */
  readonly next = new Map<string, number>();
  /** How far each partition was read. */
  readonly upTo = new Map<string, ReadUpTo>();
  /** How the group first saw its topics: may be shared by the members of a group. */
  sights = new Map<string, TopicSight>();
  assignments = 0;
  onRevoked: () => Promise<void> = async () => undefined;
  onAssigned: () => Promise<void> = async () => undefined;

  async assigned(partitions: readonly AssignedPartition[]): Promise<void> {
    await this.onAssigned();
    this.assignments++;
    for (const entry of partitions) {
      if (this.owned.has(key(entry))) this.violations.push(`assigned twice: ${key(entry)}`);
      this.owned.set(key(entry), entry);
    }
  }

  async revoked(partitions: readonly { topic: string; partition: number }[]): Promise<void> {
    await this.onRevoked();
    for (const entry of partitions) {
      if (!this.owned.delete(key(entry))) this.violations.push(`revoked but not owned: ${key(entry)}`);
      this.next.delete(key(entry));
    }
  }

  records(topic: string, partition: number, records: readonly SourceRecord[], upTo: ReadUpTo): void {
    const name = key({ topic, partition });
    if (!this.owned.has(name)) this.violations.push(`records of ${name}, which is not owned`);
    for (const record of records) {
      const next = this.next.get(name) ?? 0;
      if (record.offset < next) this.violations.push(`${name}: ${record.offset} after ${next - 1}`);
      this.next.set(name, record.offset + 1);
      this.received.push({ ...record, topic, partition });
    }
    if (upTo.nextOffset < (this.next.get(name) ?? 0)) this.violations.push(`${name}: says less than it hands over`);
    this.upTo.set(name, upTo);
  }

  async sighted(sights: readonly TopicSight[]): Promise<readonly TopicSight[]> {
    return sights.map((sight) => {
      if (sight.state === 'begun' || !this.sights.has(sight.topic)) this.sights.set(sight.topic, sight);
      return this.sights.get(sight.topic)!;
    });
  }

  get values(): string[] {
    return this.received.map(({ value }) => String(value));
  }

  /** What a router would commit that has settled all. */
  positions(): CommittedOffset[] {
    return [...this.owned.values()].flatMap(({ topic, partition }) => {
      const offset = this.next.get(key({ topic, partition }));
      return offset === undefined ? [] : [{ topic, partition, offset, note: '' }];
    });
  }
}

function key({ topic, partition }: { topic: string; partition: number }): string {
  return `${topic}/${partition}`;
}

export interface Node {
  readonly source: KafkajsRecordSource;
  readonly sink: RecordingSink;
  readonly log: LogBook;
}

/** Makes sources and stops those that are left when a test is over. */
export class Nodes {
  readonly #nodes: Node[] = [];
  /** What each group has seen of its topics, which outlives its members. */
  readonly #sights = new Map<string, Map<string, TopicSight>>();

  create(options: Partial<KafkajsRecordSourceOptions> & { readonly topics: readonly string[] }): Node {
    const log = new LogBook();
    const groupId = options.groupId ?? uniqueName('group');
    const source = new KafkajsRecordSource({
      brokers: testBrokers().split(','),
      clientId: 'kafka-source-test',
      fromBeginning: true,
      createTopics: false,
      sessionTimeoutMs: 10_000,
      logger: log,
      ...options,
      groupId,
    });
    const sights = this.#sights.get(groupId) ?? new Map<string, TopicSight>();
    this.#sights.set(groupId, sights);
    const sink = new RecordingSink();
    sink.sights = sights;
    const node = { source, sink, log };
    this.#nodes.push(node);
    return node;
  }

  async start(options: Partial<KafkajsRecordSourceOptions> & { readonly topics: readonly string[] }): Promise<Node> {
    const node = this.create(options);
    await node.source.start(node.sink);
    return node;
  }

  async stopAll(): Promise<void> {
    await Promise.all(this.#nodes.splice(0).map(({ source }) => source.stop()));
  }
}
