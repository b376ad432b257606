import { describe, expect, it } from '@jest/globals';
import {
  EngineStats,
  MemoryEngine,
  OutcomeReporter,
  RouterStats,
  type Logger,
  type OutgoingRecord,
  type RecordWriter,
} from '../../src/index.js';
import { ticketOf } from '../../src/outcomes/ticket.js';

const silent: Logger = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {}, child: () => silent };

/** Refuses more than so many bytes in one write, as a topic with `max.message.bytes` does. */
class Bounded implements RecordWriter {
  readonly users: OutgoingRecord['key'][] = [];
  readonly two = Promise.withResolvers<void>();
  readonly #bytesMax: number;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  async write(_topic: string, records: readonly OutgoingRecord[]): Promise<void> {
    const bytes = records.reduce((sum, { value }) => sum + value!.length, 0);
    if (bytes > this.#bytesMax) throw Object.assign(new Error('too large'), { code: 'record_too_large' });
    this.users.push(...records.map(({ key }) => key));
    if (this.users.length >= 2) this.two.resolve();
  }

  async stop(): Promise<void> {}
}

describe('an outcome reporter', () => {
  it('goes on behind outcomes that are together too large for Kafka, and counts as lost what is so alone', async () => {
    const engine = new MemoryEngine({ node: 'n1', stats: new EngineStats() });
    const expire = (user: string, id: string): void => {
      const message = { id, topic: 't', partition: 0, offset: 1, user, timeMs: 1000, endsAtMs: 2000 };
      engine.outcomes.expired(ticketOf({ offlineAfterMs: 5000, ackTimeoutMs: 0 }, message));
    };
    expire('u1', 'a'.repeat(600));
    expire('u2', 'a'.repeat(2000));
    expire('u3', 'a'.repeat(600));
    const writer = new Bounded(1000);
    const stats = new RouterStats();
    const options = { kafkaTopic: 'ws-deliveries', outcomes: ['expired'] } as const;
    const reporter = new OutcomeReporter({ engine, writer, stats, logger: silent }, options);
    reporter.start();
    await writer.two.promise;
    await reporter.stop();
    expect(writer.users).toEqual(['u1', 'u3']);
    expect(stats.outcomesLost).toBe(1);
  });
});
