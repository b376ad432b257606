/** One partition's part of a fetch answer, as kafkajs' own consumer makes sense of it. */
declare module 'kafkajs/src/consumer/batch.js' {
  import type { KafkaMessage } from 'kafkajs';

  export default class Batch {
    constructor(topic: string, fetchedOffset: string, answer: object);
    readonly highWatermark: string;
    readonly messages: KafkaMessage[];
    lastOffset(): string;
  }
}
