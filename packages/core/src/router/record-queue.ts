import type { SourceRecord } from '../record-source.js';

/** Bytes that are counted for a record besides its own. */
const RECORD_OVERHEAD_BYTES = 100;

/** Records of one partition that nobody has taken yet, in order. Keeps the arrays as the driver handed them over. */
export class RecordQueue {
  #batches: (readonly SourceRecord[])[] = [];
  /** Index of the next record in the first batch. */
  #next = 0;
  #length = 0;
  #bytes = 0;

  get length(): number {
    return this.#length;
  }

  /** Bytes of its records, with what they cost besides. */
  get bytes(): number {
    return this.#bytes;
  }

  push(records: readonly SourceRecord[]): void {
    if (records.length === 0) return;
    this.#batches.push(records);
    this.#length += records.length;
    for (const record of records) this.#bytes += recordBytes(record);
  }

  peek(): SourceRecord | undefined {
    return this.#batches[0]?.[this.#next];
  }

  take(): SourceRecord | undefined {
    const record = this.peek();
    if (record === undefined) return undefined;
    this.#length--;
    this.#bytes -= recordBytes(record);
    this.#next++;
    if (this.#next === this.#batches[0]!.length) {
      this.#batches.shift();
      this.#next = 0;
    }
    return record;
  }

  clear(): void {
    this.#batches = [];
    this.#next = 0;
    this.#length = 0;
    this.#bytes = 0;
  }
}

function recordBytes(record: SourceRecord): number {
  let bytes = RECORD_OVERHEAD_BYTES + (record.value?.length ?? 0) + (record.key?.length ?? 0);
  for (const name in record.headers) {
    const value = record.headers[name];
    const values = Array.isArray(value) ? (value as readonly (string | Uint8Array)[]) : [value as string | Uint8Array];
    for (const one of values) bytes += name.length + (one?.length ?? 0);
  }
  return bytes;
}
