import type { KafkaMessage } from 'kafkajs';
import type { HeaderValue, SourceRecord } from '@ws-gateway/core';

const NO_HEADERS: Readonly<Record<string, HeaderValue>> = Object.freeze({});

/** Runs for every record: offsets and timestamps become numbers here, once (both are far below 2^53). */
export function toSourceRecords(messages: readonly KafkaMessage[]): SourceRecord[] {
  const records = new Array<SourceRecord>(messages.length);
  for (let i = 0; i < messages.length; i++) {
    const message = messages[i]!;
    records[i] = {
      offset: Number(message.offset),
      timestamp: Number(message.timestamp),
      key: message.key,
      value: message.value,
      headers: toHeaders(message.headers),
    };
  }
  return records;
}

function toHeaders(headers: Record<string, unknown> | undefined): Readonly<Record<string, HeaderValue>> {
  for (const _ in headers) return headers as Record<string, HeaderValue>;
  return NO_HEADERS;
}
