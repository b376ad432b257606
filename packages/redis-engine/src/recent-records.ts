/** Two calls of each lane may have an unknown outcome; this is enough for thirty partitions with calls of full size. */
const SIZE = 8192;

/** Where a message comes from: a record, and the Redis process that made the message of it. */
export interface Origin {
  /** Name of the process (see serverName). */
  server: number;
  /** Number of topic and partition. */
  source: number;
  sourceOffset: number;
  recordTimeMs: number;
}

/**
 * What came to this node last. A Redis that comes back without its newest data has forgotten the source positions, too,
 * and then the router's repetition of a call that was applied looks like news to it. The node knows better.
 */
export class RecentRecords {
  readonly #servers = new Float64Array(SIZE);
  readonly #streams = new Array<string>(SIZE).fill('');
  readonly #sources = new Float64Array(SIZE);
  readonly #offsets = new Float64Array(SIZE);
  readonly #times = new Float64Array(SIZE);
  #next = 0;

  add(stream: string, origin: Origin): void {
    const at = this.#next;
    this.#next = (at + 1) % SIZE;
    this.#streams[at] = stream;
    this.#servers[at] = origin.server;
    this.#sources[at] = origin.source;
    this.#offsets[at] = origin.sourceOffset;
    // An offset can come again in a topic that was deleted and made again, but with a time of its own.
    this.#times[at] = origin.recordTimeMs;
  }

  /** Whether the record came as a message of another process than this one. */
  cameBefore(stream: string, { server, source, sourceOffset, recordTimeMs }: Origin): boolean {
    const offsets = this.#offsets;
    for (let at = offsets.indexOf(sourceOffset); at >= 0; at = offsets.indexOf(sourceOffset, at + 1)) {
      const isRecord = this.#sources[at] === source && this.#times[at] === recordTimeMs;
      if (isRecord && this.#servers[at] !== server && this.#streams[at] === stream) return true;
    }
    return false;
  }
}
