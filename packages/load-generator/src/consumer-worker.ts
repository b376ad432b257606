/** Entry point of the bare consumer's process. */
import { ArrivalLog } from './arrival-log.js';
import { nowMicros } from './clock.js';
import { kafkaClient } from './kafka.js';
import { readNumber, type LoadShape } from './load-record.js';
import { serveParent } from './child-worker.js';

export interface ConsumerTask {
  readonly brokers: string;
  readonly kafkaTopic: string;
  readonly groupId: string;
  readonly shape: LoadShape;
}

let log: ArrivalLog | null = null;

/** Resolves when the consumer has its partitions. */
async function start(task: ConsumerTask): Promise<void> {
  const { brokers, kafkaTopic, groupId, shape } = task;
  const arrivals = new ArrivalLog(shape);
  log = arrivals;
  const consumer = kafkaClient({ brokers }).consumer({ groupId, minBytes: 1, maxWaitTimeInMs: 100 });
  const joined = new Promise<void>((resolve) => consumer.on(consumer.events.GROUP_JOIN, () => resolve()));
  await consumer.connect();
  await consumer.subscribe({ topics: [kafkaTopic], fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch }) => {
      for (const { value } of batch.messages) {
        if (value === null) continue;
        const n = readNumber(value, 0, value.length);
        arrivals.add(n, n % shape.users, nowMicros());
      }
    },
  });
  await joined;
}

serveParent({
  start,
  received: () => log?.received,
  arrivals: () => log?.arrivals(),
});
