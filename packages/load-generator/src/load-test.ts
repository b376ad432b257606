import { LoadProducer, type ProducerOptions } from './producer.js';
import { percentilesOf, type Percentiles } from './percentiles.js';
import { settled } from './settled.js';
import { SocketFleet, type FleetOptions } from './socket-fleet.js';
import { verify, type Verdict } from './verify.js';

export interface LoadTestOptions extends Omit<ProducerOptions, 'records'>, Omit<FleetOptions, 'shape' | 'topics'> {
  /** Topic that clients subscribe to; `kafkaTopic` feeds it. */
  readonly topic: string;
  /** Records a second over all users, and the seconds they go on. */
  readonly rate: number;
  readonly seconds: number;
}

export interface Progress {
  readonly phase: 'connecting' | 'delivering';
  readonly done: number;
  readonly total: number;
}

export interface LoadTestResult {
  readonly records: number;
  readonly verdict: Verdict;
  /** Number of sockets that ended during the run, and why some of them did. */
  readonly ended: number;
  readonly reasons: readonly string[];
  /** Times in ms from the sending of a record. */
  readonly acknowledged: Percentiles;
  readonly delivered: Percentiles;
}

const TICK_MS = 5;
const REPORT_MS = 200;
/** Time in ms without any frame after which what has not come is lost. */
const QUIET_MS = 10_000;

/**
 * Opens a socket for each user, then sends records at a steady rate. Resolves when each of them has arrived, or nothing
 * comes any more. Rejects when a socket is refused or Kafka cannot be written to.
 */
export async function runLoadTest(
  options: LoadTestOptions,
  onProgress: (progress: Progress) => void,
): Promise<LoadTestResult> {
  const shape = { users: options.users, records: Math.max(1, Math.round(options.rate * options.seconds)) };
  const producer = await LoadProducer.connect({ ...options, ...shape });
  try {
    onProgress({ phase: 'connecting', done: 0, total: shape.users });
    const fleet = await SocketFleet.connect({ ...options, shape, topics: [options.topic] });
    const report = (done: number): void => onProgress({ phase: 'delivering', done, total: shape.records });
    try {
      await deliver({ fleet, producer, rate: options.rate, report }, shape.records);
      return await resultOf(fleet, producer, shape.records);
    } finally {
      await fleet.stop();
    }
  } finally {
    await producer.disconnect();
  }
}

interface Run {
  readonly fleet: SocketFleet;
  readonly producer: LoadProducer;
  readonly rate: number;
  readonly report: (arrived: number) => void;
}

async function deliver({ fleet, producer, rate, report }: Run, records: number): Promise<void> {
  const arrived = async (): Promise<number> => {
    const { arrived: count } = await fleet.state();
    report(count);
    return count;
  };
  // `settled` reports a fleet that has ended.
  const timer = setInterval(() => void arrived().catch(() => undefined), REPORT_MS);
  try {
    await producer.sendPacedInOrder(rate, TICK_MS);
    await settled(arrived, records, QUIET_MS);
  } finally {
    clearInterval(timer);
  }
}

async function resultOf(fleet: SocketFleet, producer: LoadProducer, records: number): Promise<LoadTestResult> {
  const [{ failed, failures }, arrivals] = await Promise.all([fleet.state(), fleet.arrivals()]);
  const { sentAt, acknowledgedAt } = producer;
  return {
    records,
    verdict: verify(arrivals, producer.produced),
    ended: failed,
    reasons: failures,
    acknowledged: percentilesOf(millisecondsBetween(sentAt, acknowledgedAt)),
    delivered: percentilesOf(millisecondsBetween(sentAt, arrivals.times)),
  };
}

/** Differences in ms, of the records that have both times. */
function millisecondsBetween(from: Float64Array, to: Float64Array): Float64Array {
  return to.map((time, n) => (time === 0 ? NaN : (time - from[n]!) / 1e3)).filter((ms) => !Number.isNaN(ms));
}
