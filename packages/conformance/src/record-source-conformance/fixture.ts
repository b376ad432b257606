import type { RecordSource, RecordWriter } from '@ws-gateway/core';
import { uniqueName, type ConsumedRecord, type ProducedRecord } from '@ws-gateway/testkit';
import { GroupSinks, type RecordingSink } from './recording-sink.js';

export interface SourceOptions {
  readonly groupId: string;
  readonly topics: readonly string[];
  /** Where a topic starts that was there when the group first saw it: at its first record, or at its end. */
  readonly fromBeginning: boolean;
}

/**
 * What an implementation brings to the suite. Topics are made, written and read by another client than the one under
 * test, so that two faults of a driver cannot hide each other.
 */
export interface RecordSourceHarness {
  /** Resolves when records can be written to all of the topic's partitions. */
  createTopic(topic: string, partitions: number): Promise<void>;
  /** Writes all records in one batch a partition. */
  produce(topic: string, records: readonly ProducedRecord[]): Promise<void>;
  /** All records that the topic has now, partition by partition in order. */
  readTopic(topic: string): Promise<readonly ConsumedRecord[]>;
  /** Creates a member of the group without starting it. It creates no topic. */
  createSource(options: SourceOptions): RecordSource;
  createWriter(): RecordWriter;
  /** Called after sources and writers have been stopped. */
  stop(): Promise<void>;
}

export type CreateHarness = () => Promise<RecordSourceHarness>;

/** Tests by name. A name is a sentence about behaviour. */
export type ConformanceTests = Readonly<Record<string, (fixture: Fixture) => Promise<void>>>;

export interface Member {
  readonly source: RecordSource;
  readonly sink: RecordingSink;
}

/** The members and writers of one test. */
export class Fixture {
  readonly harness: RecordSourceHarness;
  readonly #sinks = new GroupSinks();
  readonly #members: Member[] = [];
  readonly #writers: RecordWriter[] = [];

  constructor(harness: RecordSourceHarness) {
    this.harness = harness;
  }

  async topic(partitions = 1): Promise<string> {
    const topic = uniqueName('conformance');
    await this.harness.createTopic(topic, partitions);
    return topic;
  }

  create(options: Partial<SourceOptions> & Pick<SourceOptions, 'topics'>): Member {
    const groupId = options.groupId ?? uniqueName('group');
    const source = this.harness.createSource({ fromBeginning: true, ...options, groupId });
    const member = { source, sink: this.#sinks.create(groupId) };
    this.#members.push(member);
    return member;
  }

  async start(options: Partial<SourceOptions> & Pick<SourceOptions, 'topics'>): Promise<Member> {
    const member = this.create(options);
    await member.source.start(member.sink);
    return member;
  }

  writer(): RecordWriter {
    const writer = this.harness.createWriter();
    this.#writers.push(writer);
    return writer;
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#members.map(({ source }) => source.stop()), ...this.#writers.map((one) => one.stop())]);
    await this.harness.stop();
  }

  /** What any of the sources did against the seam's rules. */
  get violations(): string[] {
    return this.#members.flatMap(({ sink }) => sink.violations);
  }
}

/** Records with numbered values, dealt out to the partitions in turn. */
export function spread(prefix: string, count: number, partitions: number): { value: string; partition: number }[] {
  return Array.from({ length: count }, (_, i) => ({ value: `${prefix}${i}`, partition: i % partitions }));
}
