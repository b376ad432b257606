import type { EdgeStats, NodeReading, NodeStatus, ReadingLog, RouterStats } from '@ws-gateway/core';
import { sum } from './sum.js';

/** Time in ms of one period. All nodes begin theirs at the same times of the day, so that readings can be added up. */
export const READING_MS = 10_000;
/** Readings that are kept: an hour. */
const READINGS_MAX = 360;

interface Counted {
  readonly edge: Pick<EdgeStats, 'messagesSent' | 'messagesReceived' | 'slowConnections'>;
  readonly router: Pick<RouterStats, 'messagesProcessed'>;
}

/** Counters that only grow, at one moment. */
interface Totals {
  /** Reading of the monotonic clock, ms. */
  readonly atMs: number;
  readonly records: number;
  readonly sent: number;
  readonly received: number;
  readonly deadLetters: number;
  /** CPU time in ms. */
  readonly cpuMs: number;
}

/** The last hour of this node, and no more. A node that is gone takes it along: nobody else keeps it. */
export class NodeReadings implements ReadingLog {
  readonly #stats: Counted;
  readonly #now: () => number;
  #readings: { readonly endMs: number; readonly reading: NodeReading }[] = [];
  #before: { readonly period: number; readonly totals: Totals } | null = null;

  /** `now` is the time of day in ms. */
  constructor(stats: Counted, now: () => number = Date.now) {
    this.#stats = stats;
    this.#now = now;
  }

  /** Call each second; most calls do nothing. */
  take(status: NodeStatus): void {
    const period = Math.floor(this.#now() / READING_MS);
    if (period === this.#before?.period) return;
    const totals = this.#totals(status);
    if (this.#before !== null) this.#add(period * READING_MS, this.#reading(status, this.#before.totals, totals));
    this.#before = { period, totals };
  }

  after(timeMs: number): readonly NodeReading[] {
    return this.#readings.filter(({ endMs }) => endMs > timeMs).map(({ reading }) => reading);
  }

  #add(endMs: number, reading: Omit<NodeReading, 'timestamp'>): void {
    // Of a clock that was set back, what it showed before is not true.
    while (this.#readings.length > 0 && this.#readings.at(-1)!.endMs >= endMs) this.#readings.pop();
    if (this.#readings.length === READINGS_MAX) this.#readings.shift();
    this.#readings.push({ endMs, reading: { timestamp: new Date(endMs).toISOString(), ...reading } });
  }

  #reading(status: NodeStatus, before: Totals, totals: Totals): Omit<NodeReading, 'timestamp'> {
    const elapsedMs = totals.atMs - before.atMs;
    const perSecond = (name: 'records' | 'sent' | 'received'): number =>
      rounded(((totals[name] - before[name]) * 1000) / elapsedMs, 1);
    return {
      connections: status.connections,
      slow: this.#stats.edge.slowConnections,
      records_per_second: perSecond('records'),
      sent_per_second: perSecond('sent'),
      received_per_second: perSecond('received'),
      age_p99_ms: status.ageP99Ms ?? null,
      lag: sum(Object.values(status.lag)),
      dead_letters: totals.deadLetters - before.deadLetters,
      memory_bytes: process.memoryUsage.rss(),
      cpu: rounded((totals.cpuMs - before.cpuMs) / elapsedMs, 3),
    };
  }

  #totals({ deadLetters = 0 }: NodeStatus): Totals {
    const { edge, router } = this.#stats;
    const { user, system } = process.cpuUsage();
    return {
      atMs: performance.now(),
      records: sum(router.messagesProcessed.values.values()),
      sent: sum(edge.messagesSent.values.values()),
      received: sum(edge.messagesReceived.values.values()),
      deadLetters,
      cpuMs: (user + system) / 1000,
    };
  }
}

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
