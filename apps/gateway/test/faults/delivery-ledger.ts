/** Sequence numbers that were sent to each user, in the order that Kafka has them. */
export type Produced = ReadonlyMap<string, readonly number[]>;

/** What one user's client has got, and what it saw of the positions. */
export interface Received {
  readonly user: string;
  /** Sequence numbers in the order of arrival. */
  readonly sequences: readonly number[];
  /** Descriptions of frames that do not follow the one before them in the stream. */
  readonly offsetFaults: readonly string[];
  /**
   * True when the client was told that history was lost: by `recovered: false`, or by another epoch on the open socket.
   */
  readonly told: boolean;
}

export interface Verdict {
  readonly produced: number;
  readonly received: number;
  readonly lost: number;
  /** Number of lost records of users who were told that something may be missing. */
  readonly lostAndTold: number;
  readonly duplicates: number;
  readonly outOfOrder: number;
  /** Number of frames that nobody produced for this user. */
  readonly foreign: number;
  /** Number of gaps and repetitions by stream, epoch and offset. */
  readonly offsetFaults: number;
  /** The first few faults in words, for the failure's message. */
  readonly examples: readonly string[];
}

export const FAULTLESS = { lost: 0, duplicates: 0, outOfOrder: 0, foreign: 0, offsetFaults: 0, examples: [] };

const EXAMPLES_MAX = 8;

/** Compares user by user what was produced with what arrived. */
export function verdictOf(produced: Produced, received: Iterable<Received>): Verdict {
  const sum = { produced: 0, received: 0, lost: 0, lostAndTold: 0, duplicates: 0, outOfOrder: 0, foreign: 0 };
  const examples: string[] = [];
  let offsetFaults = 0;
  for (const client of received) {
    const expected = produced.get(client.user) ?? [];
    const faults = compare(expected, client.sequences);
    sum.produced += expected.length;
    sum.received += client.sequences.length;
    sum.lost += faults.lost.length;
    if (client.told) sum.lostAndTold += faults.lost.length;
    sum.duplicates += faults.duplicates.length;
    sum.outOfOrder += faults.outOfOrder.length;
    sum.foreign += faults.foreign.length;
    offsetFaults += client.offsetFaults.length;
    for (const [name, list] of Object.entries(faults)) {
      if (list.length > 0 && !(name === 'lost' && client.told)) examples.push(`${client.user} ${name}: ${few(list)}`);
    }
    if (client.offsetFaults.length > 0) examples.push(`${client.user}: ${few(client.offsetFaults)}`);
  }
  return { ...sum, offsetFaults, examples: examples.slice(0, EXAMPLES_MAX) };
}

interface Faults {
  readonly lost: number[];
  readonly duplicates: number[];
  readonly outOfOrder: number[];
  readonly foreign: number[];
}

function compare(expected: readonly number[], got: readonly number[]): Faults {
  const faults: Faults = { lost: [], duplicates: [], outOfOrder: [], foreign: [] };
  // A record may be in Kafka twice, by its producer's own repetition: then it has to arrive twice.
  const places = new Map<number, number[]>();
  for (const [place, sequence] of expected.entries()) {
    const known = places.get(sequence);
    if (known === undefined) places.set(sequence, [place]);
    else known.push(place);
  }
  let newest = -1;
  for (const sequence of got) {
    const open = places.get(sequence);
    const place = open?.shift();
    if (open === undefined) faults.foreign.push(sequence);
    else if (place === undefined) faults.duplicates.push(sequence);
    else if (place < newest) faults.outOfOrder.push(sequence);
    if (place !== undefined) newest = Math.max(newest, place);
  }
  for (const [sequence, open] of places) faults.lost.push(...open.map(() => sequence));
  return faults;
}

function few(list: readonly (number | string)[]): string {
  return `${list.slice(0, 10).join(', ')}${list.length > 10 ? ` and ${list.length - 10} more` : ''}`;
}
