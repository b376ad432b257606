import type {
  CommittedOffset,
  PartitionOffset,
  RecordSink,
  RecordSource,
  RecordSourceStatus,
  SourceRecord,
} from '@ws-gateway/core';

/** Topics of one partition each, in memory: a source for a real router. */
export class RecordLog implements RecordSource {
  readonly status: RecordSourceStatus = { started: true, healthy: true, troubles: [] };
  readonly committed = new Map<string, CommittedOffset>();
  readonly #topics = new Map<string, SourceRecord[]>();
  /** Where each topic is read next. */
  readonly #next = new Map<string, number>();
  readonly #paused = new Set<string>();
  #sink: RecordSink | null = null;

  constructor(topics: readonly string[]) {
    for (const topic of topics) this.#topics.set(topic, []);
  }

  append(topic: string, key: string, value: unknown): void {
    const records = this.#topics.get(topic)!;
    records.push({
      offset: records.length,
      timestamp: Date.now(),
      key: Buffer.from(key),
      value: Buffer.from(JSON.stringify(value)),
      headers: {},
    });
    this.#handOver(topic);
  }

  end(topic: string): number {
    return this.#topics.get(topic)!.length;
  }

  async start(sink: RecordSink): Promise<void> {
    this.#sink = sink;
    for (const topic of this.#topics.keys()) {
      const committed = this.committed.get(topic) ?? null;
      const offset = committed?.offset ?? 0;
      const bounds = { beginOffset: 0, endOffset: this.end(topic), log: topic, cluster: '' };
      await sink.assigned([{ topic, partition: 0, offset, committed, ...bounds }]);
    }
  }

  pause(topic: string): void {
    this.#paused.add(topic);
  }

  resume(topic: string): void {
    this.#paused.delete(topic);
    this.#handOver(topic);
  }

  seek(topic: string, _partition: number, offset: number): void {
    this.#next.set(topic, offset);
  }

  async commit(offsets: readonly CommittedOffset[]): Promise<void> {
    for (const offset of offsets) this.committed.set(offset.topic, offset);
  }

  async recordFrom(topic: string, _partition: number, offset: number): Promise<SourceRecord | null> {
    return this.#topics.get(topic)![offset] ?? null;
  }

  async readAgain(
    topic: string,
    take: (partition: number, records: readonly SourceRecord[]) => void,
  ): Promise<PartitionOffset[]> {
    take(0, this.#topics.get(topic)!);
    return [{ topic, partition: 0, offset: this.end(topic) }];
  }

  readonly member = null;

  async evict(): Promise<void> {}

  async stop(): Promise<void> {
    this.#sink = null;
  }

  #handOver(topic: string): void {
    setImmediate(() => {
      const next = this.#next.get(topic);
      if (this.#sink === null || next === undefined || this.#paused.has(topic)) return;
      const records = this.#topics.get(topic)!.slice(next);
      this.#next.set(topic, this.end(topic));
      if (records.length > 0) {
        this.#sink.records(topic, 0, records, { nextOffset: this.end(topic), endOffset: this.end(topic) });
      }
    });
  }
}
