import type { Verdict } from '@ws-gateway/load-generator';

/**
 * Keeps what came to the subscribers that read; all of them get every record of one stream. Records are numbered from
 * 0; `keys` of them take turns, and records of one key stay in order. In the stream each record has the offset that
 * follows the one before.
 */
export class SubscriberLog {
  readonly #records: number;
  readonly #keys: number;
  /** Time by socket and record, in µs of `nowMicros`; 0: not arrived. */
  readonly #times: Float64Array;
  readonly #received: Int32Array;
  readonly #offsets: Float64Array;
  /** Newest record by socket and key. */
  readonly #newest: Int32Array;
  #duplicates = 0;
  #outOfOrder = 0;
  #misdelivered = 0;

  constructor(sockets: number, { records, keys }: { records: number; keys: number }) {
    this.#records = records;
    this.#keys = keys;
    this.#times = new Float64Array(sockets * records);
    this.#received = new Int32Array(sockets);
    this.#offsets = new Float64Array(sockets);
    this.#newest = new Int32Array(sockets * keys).fill(-1);
  }

  add(socket: number, record: { n: number; offset: number }, atMicros: number): void {
    const { n, offset } = record;
    const place = socket * this.#records + n;
    const key = socket * this.#keys + (n % this.#keys);
    const before = this.#offsets[socket]!;
    this.#offsets[socket] = offset;
    if (n >= this.#records) {
      this.#misdelivered++;
    } else if (this.#times[place] !== 0) {
      this.#duplicates++;
    } else {
      this.#times[place] = atMicros;
      this.#received[socket]!++;
      if (n < this.#newest[key]! || (before !== 0 && offset !== before + 1)) this.#outOfOrder++;
      else this.#newest[key] = n;
    }
  }

  hasAll(socket: number): boolean {
    return this.#received[socket] === this.#records;
  }

  /** Latency in ms since the sending of each record from `first` on, at each socket. */
  latencies(sentAt: Float64Array, first: number): Float64Array {
    const found: number[] = [];
    for (const [place, time] of this.#times.entries()) {
      const n = place % this.#records;
      if (n >= first && time !== 0) found.push((time - sentAt[n]!) / 1e3);
    }
    return Float64Array.from(found);
  }

  verdict(): Verdict {
    const received = this.#received.reduce((sum, count) => sum + count, 0);
    return {
      received,
      lost: this.#times.length - received,
      duplicates: this.#duplicates,
      outOfOrder: this.#outOfOrder,
      misdelivered: this.#misdelivered,
    };
  }
}
