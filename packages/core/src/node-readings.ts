/** What a node measured over one period, as operators see it. */
export interface NodeReading {
  /** End of the period, RFC 3339. */
  readonly timestamp: string;
  readonly connections: number;
  /** Connections that do not keep up. */
  readonly slow: number;
  /** Records read from Kafka. */
  readonly records_per_second: number;
  /** Frames sent to clients. */
  readonly sent_per_second: number;
  /** Frames that clients sent. */
  readonly received_per_second: number;
  /** Age of 99 of 100 messages when they were sent, in ms; null: none were sent. */
  readonly age_p99_ms: number | null;
  /** Records of Kafka that are not read yet. */
  readonly lag: number;
  /** Records of the period that could not be used. */
  readonly dead_letters: number;
  readonly memory_bytes: number;
  /** CPU time as a share of one core. */
  readonly cpu: number;
}

/** The readings that a node keeps of itself. */
export interface ReadingLog {
  /** Readings behind this time (ms since the epoch), oldest first. */
  after(timeMs: number): readonly NodeReading[];
}
