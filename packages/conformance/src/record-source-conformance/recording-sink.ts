import type {
  AssignedPartition,
  CommittedOffset,
  ReadUpTo,
  RecordSink,
  SourceRecord,
  TopicSight,
} from '@ws-gateway/core';

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
  /** How the group first saw its topics. */
  readonly sights: Map<string, TopicSight>;
  assignments = 0;
  onRevoked: () => Promise<void> = async () => undefined;
  onJoining: () => Promise<void> = async () => undefined;
  onAssigned: () => Promise<void> = async () => undefined;

  constructor(sights = new Map<string, TopicSight>()) {
    this.sights = sights;
  }

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

  async joining(): Promise<void> {
    await this.onJoining();
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

/** Makes the sinks of groups. What a group has seen of its topics is shared by its members and outlives them. */
export class GroupSinks {
  readonly #sights = new Map<string, Map<string, TopicSight>>();

  create(groupId: string): RecordingSink {
    const sights = this.#sights.get(groupId) ?? new Map<string, TopicSight>();
    this.#sights.set(groupId, sights);
    return new RecordingSink(sights);
  }
}

function key({ topic, partition }: { topic: string; partition: number }): string {
  return `${topic}/${partition}`;
}
