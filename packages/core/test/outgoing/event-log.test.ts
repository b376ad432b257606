import { describe, expect, it } from '@jest/globals';
import {
  EventLog,
  LabelCounter,
  SubscriptionEvents,
  type Logger,
  type OutgoingRecord,
  type RecordWriter,
} from '../../src/index.js';

const silent: Logger = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {}, child: () => silent };

/** Keeps what it is given; takes nothing while `away`. */
class Kept implements RecordWriter {
  readonly records: OutgoingRecord[] = [];
  away: Promise<void> = Promise.resolve();

  async write(_topic: string, records: readonly OutgoingRecord[]): Promise<void> {
    await this.away;
    this.records.push(...records);
  }

  async stop(): Promise<void> {}
}

function logOver(writer: RecordWriter): { log: EventLog; dropped: LabelCounter } {
  const dropped = new LabelCounter();
  return { log: new EventLog({ writer, dropped, logger: silent }, 'events'), dropped };
}

describe('an event log', () => {
  it('holds 100 000 events while Kafka is away, counts those beyond, and writes the others in order', async () => {
    const writer = new Kept();
    const { log, dropped } = logOver(writer);
    const back = Promise.withResolvers<void>();
    writer.away = back.promise;
    for (let n = 0; n < 100_003; n++) log.add({ key: null, value: String(n) });
    expect([...dropped.values]).toEqual([['events', 3]]);
    back.resolve();
    await log.stop();
    expect(writer.records.map(({ value }) => value)).toEqual(Array.from({ length: 100_000 }, (_, n) => String(n)));
  });
});

describe('subscription events', () => {
  it('say when the first comes and when the last has left, once each', async () => {
    const writer = new Kept();
    const { log } = logOver(writer);
    const events = new SubscriptionEvents(log, 'n1');
    events.joined('a', 'getSchedules');
    events.joined('a', 'getSchedules');
    events.left('sub/a');
    // Nobody was told of these: the backend refused, or they are no subscriptions.
    for (const stream of ['sub/a', 'sub/b', 'room/a', 'a']) events.left(stream);
    events.joined('a', 'getMyNotifications');
    await log.stop();
    const common = { id: 'a', node: 'n1', timestamp: expect.any(String) };
    expect(writer.records.map(({ key }) => key)).toEqual(['a', 'a', 'a']);
    expect(writer.records.map(({ value }) => JSON.parse(value as string) as unknown)).toEqual([
      { ...common, event: 'added', command: 'getSchedules' },
      { ...common, event: 'removed' },
      { ...common, event: 'added', command: 'getMyNotifications' },
    ]);
  });
});
