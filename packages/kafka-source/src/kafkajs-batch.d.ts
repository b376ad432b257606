/** One partition's part of a fetch answer, as kafkajs' own consumer makes sense of it. */
declare module 'kafkajs/src/consumer/batch.js' {
  import type { KafkaMessage } from 'kafkajs';

  export default class Batch {
    constructor(topic: string, fetchedOffset: string, answer: object);
    readonly highWatermark: string;
    /** Behind it are transactions that are still open. */
    readonly lastStableOffset: string;
    readonly messages: KafkaMessage[];
    /** Of the log's last entry in the answer, whatever that is; null: there was none. (Patched.) */
    readonly lastOffsetRead: number | null;
    /** Why the messages end where they do, when what follows cannot be read. (Patched.) */
    readonly unreadable: Error | null;
    lastOffset(): string;
  }
}

declare module 'kafkajs/src/protocol/encoder.js' {
  export default class Encoder {
    writeBuffer(buffer: Buffer): this;
  }
}
