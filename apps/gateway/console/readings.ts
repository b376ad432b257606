import { Exposition, quantile } from './exposition.js';

/** What the charts show of one moment; null: there was nothing to measure. */
export interface Reading {
  readonly deliveries: number | null;
  readonly connections: number;
  readonly lag: number;
  readonly ageP99: number | null;
}

interface Scrape {
  readonly atMs: number;
  readonly sent: number;
  readonly ages: ReadonlyMap<number, number>;
}

/** Number of scrapes that ages are computed over: in a single second there may be a handful of messages. */
const AGE_SCRAPES = 10;

/** Turns scrapes of ever growing counters into readings. */
export class Readings {
  readonly #namespace: string;
  #scrapes: Scrape[] = [];

  constructor(namespace: string) {
    this.#namespace = namespace;
  }

  next(text: string, atMs: number): Reading {
    const exposition = new Exposition(text);
    const name = (metric: string): string => `${this.#namespace}_${metric}`;
    const scrape = {
      atMs,
      sent: exposition.sum(name('websocket_messages_sent_total')),
      ages: exposition.buckets(name('message_age_seconds')),
    };
    const before = this.#scrapes.at(-1);
    // Counters never fall, so another process answers now.
    if (before !== undefined && scrape.sent < before.sent) this.#scrapes = [];
    const [oldest] = this.#scrapes;
    const last = this.#scrapes.at(-1);
    this.#scrapes = [...this.#scrapes, scrape].slice(-AGE_SCRAPES - 1);
    return {
      deliveries: last === undefined ? null : ((scrape.sent - last.sent) * 1000) / (atMs - last.atMs),
      connections: exposition.sum(name('websocket_active_connections')),
      lag: exposition.sum(name('kafka_consumer_lag')),
      ageP99: oldest === undefined ? null : quantile(0.99, difference(scrape.ages, oldest.ages)),
    };
  }
}

function difference(
  after: ReadonlyMap<number, number>,
  before: ReadonlyMap<number, number>,
): ReadonlyMap<number, number> {
  return new Map([...after].map(([bound, count]) => [bound, count - (before.get(bound) ?? 0)]));
}
