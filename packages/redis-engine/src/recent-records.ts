/** A router reads at most the last minute again after a loss; a record of that minute is in one of the two generations. */
const GENERATION_MS = 90_000;

/** Origin of a message: a record, and the Redis process that made the message of it. */
export interface Origin {
  /** Name of the process (see serverName). */
  server: number;
  /** Number of topic and partition. */
  source: number;
  sourceOffset: number;
  recordTimeMs: number;
}

/**
 * How far one Kafka partition has come in one stream. Records of a partition enter a stream in the order of their
 * offsets.
 */
interface Mark {
  readonly source: number;
  /** Process that the newest record came from; 0 when its data is gone. */
  server: number;
  offset: number;
  recordTimeMs: number;
  /** Greatest record time, which tells the records of a topic that was made again from those that came before. */
  timeMaxMs: number;
  /** Newest offset that came from another process than `server`; -1 for none. */
  offsetOfOthers: number;
  /** Mark of another Kafka partition in the same stream. */
  next: Mark | null;
}

type Generation = Map<string, Mark>;

/** A mark's server whose data is gone. */
const NO_SERVER = 0;

/**
 * Knows what came to this node in the last minutes, as one offset for each stream and Kafka partition. A Redis that
 * comes back without its newest data has forgotten the source positions, too, so records that the router reads again
 * look like news to it; the node recognises them.
 */
export class RecentRecords {
  #newer: Generation = new Map();
  #older: Generation = new Map();
  #rotatedMs: number;
  readonly #nowMs: () => number;
  /** The only process that records came from; 0 before the first, -1 once there were two. */
  #onlyServer = 0;

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
    this.#rotatedMs = nowMs();
  }

  add(stream: string, origin: Origin): void {
    const { server, source, sourceOffset, recordTimeMs } = origin;
    if (this.#onlyServer !== server) this.#onlyServer = this.#onlyServer === 0 ? server : -1;
    const mark = this.#markFor(stream, source);
    if (sourceOffset < mark.offset && recordTimeMs > mark.timeMaxMs) {
      // The topic was made again: what is remembered of the log before says nothing about this one.
      mark.offsetOfOthers = -1;
    } else if (mark.server !== server) {
      mark.offsetOfOthers = Math.max(mark.offsetOfOthers, mark.offset);
    }
    mark.server = server;
    mark.offset = sourceOffset;
    mark.recordTimeMs = recordTimeMs;
    mark.timeMaxMs = Math.max(mark.timeMaxMs, recordTimeMs);
  }

  /** Tells whether the record came as a message of another process than this one. */
  cameBefore(stream: string, { server, source, sourceOffset, recordTimeMs }: Origin): boolean {
    if (this.#onlyServer === server || this.#onlyServer === 0) return false;
    const mark = find(this.#newer.get(stream), source) ?? find(this.#older.get(stream), source);
    if (mark === null || recordTimeMs > mark.timeMaxMs) return false;
    if (mark.server === server) return sourceOffset <= mark.offsetOfOthers;
    return sourceOffset < mark.offset || (sourceOffset === mark.offset && recordTimeMs === mark.recordTimeMs);
  }

  /** Redis has lost all that these streams had: the records of them that come again, also from the same process, came before. */
  loseStreams(isLost: (stream: string) => boolean): void {
    this.#onlyServer = -1;
    for (const generation of [this.#newer, this.#older]) {
      for (const [stream, first] of generation) {
        if (isLost(stream))
          for (let mark: Mark | null = first; mark !== null; mark = mark.next) mark.server = NO_SERVER;
      }
    }
  }

  /** Forgets what is too old to be read again. To be called now and then. */
  rotate(): void {
    if (this.#nowMs() - this.#rotatedMs < GENERATION_MS) return;
    this.#rotatedMs = this.#nowMs();
    this.#older = this.#newer;
    this.#newer = new Map();
  }

  #markFor(stream: string, source: number): Mark {
    const first = this.#newer.get(stream) ?? null;
    const known = find(first, source);
    if (known !== null) return known;
    const older = find(this.#older.get(stream), source);
    const mark: Mark =
      older === null
        ? { source, server: 0, offset: -1, recordTimeMs: 0, timeMaxMs: 0, offsetOfOthers: -1, next: first }
        : { ...older, next: first };
    this.#newer.set(stream, mark);
    return mark;
  }
}

function find(first: Mark | null | undefined, source: number): Mark | null {
  for (let mark = first ?? null; mark !== null; mark = mark.next) if (mark.source === source) return mark;
  return null;
}
