import { quote } from '../frame.js';
import type { RecordWriter } from '../record-source.js';
import { RefusalError } from '../edge/refusals.js';
import type { SentMessage, SentMessages } from '../edge/commands/send-command.js';

/**
 * Writes messages of clients to a Kafka topic (`ws-inbound`, docs/records.md), in order per user. A client is answered
 * only when the broker has its message; while Kafka is away or the writer's queue is full the client is told so, and
 * nothing is lost in silence.
 */
export class SentRecords implements SentMessages {
  readonly #writer: RecordWriter;
  readonly #topic: string;

  constructor(writer: RecordWriter, topic: string) {
    this.#writer = writer;
    this.#topic = topic;
  }

  async write(message: SentMessage): Promise<void> {
    const { user, connection, hub, to, payload } = message;
    const place = hub === null ? '' : `,"hub":${quote(hub)}`;
    const value =
      `{"user_id":${quote(user)},"connection_id":${quote(connection)}${place},"to":${JSON.stringify(to)}` +
      `,"payload":${payload},"timestamp":"${new Date().toISOString()}"}`;
    try {
      await this.#writer.write(this.#topic, [{ key: user, value }]);
    } catch {
      // The writer has logged why.
      throw new RefusalError('unavailable', 'the message could not be handed over; try again later');
    }
  }
}
