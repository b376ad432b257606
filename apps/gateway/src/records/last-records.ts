import type { SourceRecord } from '@ws-gateway/core';
import type { TopicReader } from '@ws-gateway/kafka-source';

export interface PlacedRecord {
  readonly partition: number;
  readonly record: SourceRecord;
}

/** The newest records of all partitions together, oldest first. null: there is no such topic. */
export async function lastRecords(reader: TopicReader, topic: string, count: number): Promise<PlacedRecord[] | null> {
  const bounds = await reader.bounds(topic);
  if (bounds === null) return null;
  const found: PlacedRecord[] = [];
  for (const { partition, begin, end } of bounds) {
    const range = { partition, begin: Math.max(begin, end - count), end };
    await reader.read(topic, range, (records) => found.push(...records.map((record) => ({ partition, record }))));
  }
  return found.sort((a, b) => a.record.timestamp - b.record.timestamp).slice(-count);
}
