import { Backoff, sleep } from '../backoff.js';
import type { Engine } from '../engine.js';
import { endByDefect } from '../defects.js';
import type { Logger } from '../logger.js';
import type { DecidedMessage, Outcome, OutcomePage } from '../outcomes/outcome.js';
import { outcomeRecord } from '../outcomes/ticket.js';
import type { RecordWriter } from '../record-source.js';
import type { RouterStats } from '../stats.js';

/** Time in ms between two looks at a part of the store: how much later than it is decided an outcome is told. */
const LOOK_MS = 250;

/** Time in ms that a stop waits for Kafka. */
const STOP_MS = 2000;

export interface OutcomeReporterDeps {
  readonly engine: Engine;
  readonly writer: RecordWriter;
  readonly stats: RouterStats;
  readonly logger: Logger;
}

/**
 * Tells producers by Kafka what became of each message (`ws-deliveries`, docs/records.md): every outcome at least once,
 * in order for each user, who is the key. While Kafka is away they wait in the engine, bounded.
 */
export class OutcomeReporter {
  readonly #deps: OutcomeReporterDeps;
  readonly #kafkaTopic: string;
  readonly #wanted: ReadonlySet<Outcome>;
  readonly #stopping = new AbortController();
  #running: Promise<unknown> = Promise.resolve();
  readonly #pending: number[] = [];

  constructor(deps: OutcomeReporterDeps, options: { kafkaTopic: string; outcomes: readonly Outcome[] }) {
    this.#deps = deps;
    this.#kafkaTopic = options.kafkaTopic;
    this.#wanted = new Set(options.outcomes);
  }

  start(): void {
    if (this.#stopping.signal.aborted) return;
    const parts = Array.from({ length: this.#deps.engine.outcomes.parts }, (_, part) => this.#report(part));
    this.#running = Promise.all(parts);
    this.#running.catch(endByDefect);
  }

  /**
   * Reads no more. Resolves when what was read is written, or Kafka takes too long; what is left another node reports.
   */
  async stop(): Promise<void> {
    this.#stopping.abort();
    const ended = new AbortController();
    await Promise.race([this.#running.finally(() => ended.abort()), sleep(STOP_MS, ended.signal)]);
  }

  async #report(part: number): Promise<void> {
    const { signal } = this.#stopping;
    const backoff = new Backoff();
    let receipt: string | null = null;
    while (!signal.aborted) {
      try {
        const page = await this.#deps.engine.outcomes.page(part, receipt);
        receipt = null;
        this.#count(part, page);
        if (page !== null && page.messages.length > 0) {
          await this.#write(page.messages);
          receipt = page.receipt;
        }
        backoff.reset();
      } catch (error) {
        const fields = { topic: this.#kafkaTopic, error };
        this.#deps.logger[backoff.isFresh ? 'warn' : 'debug']('outcomes could not be reported, trying again', fields);
        await backoff.wait(signal);
      }
      if (receipt === null) await sleep(LOOK_MS, signal);
    }
    // Else the next node would report them once more.
    if (receipt !== null) await this.#deps.engine.outcomes.page(part, receipt).catch(() => undefined);
  }

  #count(part: number, page: OutcomePage | null): void {
    const { stats } = this.#deps;
    this.#pending[part] = page?.pending ?? 0;
    stats.outcomesPending = this.#pending.reduce((sum, pending) => sum + (pending ?? 0), 0);
    stats.outcomesLost += page?.lost ?? 0;
  }

  async #write(messages: readonly DecidedMessage[]): Promise<void> {
    const wanted = messages.filter(({ outcome }) => this.#wanted.has(outcome));
    const lost = (await this.#isTaken(wanted)) ? [] : await this.#writeEach(wanted);
    const { stats, logger } = this.#deps;
    for (const { outcome } of messages) stats.outcomes.add(outcome);
    for (const { about, outcome } of lost) {
      stats.outcomesLost++;
      logger.error('outcome too large for the broker, nobody will hear of it', { outcome, about: about.slice(0, 200) });
    }
  }

  /** An id is as long as its producer likes: a page of long ones would be refused for ever, and all behind it wait. */
  async #writeEach(messages: readonly DecidedMessage[]): Promise<DecidedMessage[]> {
    // At once, because the writer lets as many travel together as may.
    const taken = await Promise.all(messages.map((message) => this.#isTaken([message])));
    return messages.filter((_, at) => !taken[at]);
  }

  /** False: these are too large for Kafka, now and later. Rejects when the same attempt may succeed later. */
  async #isTaken(messages: readonly DecidedMessage[]): Promise<boolean> {
    const records = messages.map(outcomeRecord).map(({ user, value }) => ({ key: user, value }));
    try {
      await this.#deps.writer.write(this.#kafkaTopic, records);
      return true;
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'record_too_large') throw error;
      return false;
    }
  }
}
