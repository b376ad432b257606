import Encoder from 'kafkajs/src/protocol/encoder.js';

/** Enough of kafkajs' broker to send a request that kafkajs does not know. */
export interface RequestingBroker {
  readonly versions: Readonly<Record<number, { readonly maxVersion: number }>> | null;
  readonly connectionPool: { send(request: object): Promise<unknown> };
}

const METADATA = 3;
/** The first version that tells topics' ids (Kafka 2.8). */
const VERSION = 10;
const NO_ID = '00000000000000000000000000000000';

/**
 * The ids that the broker has given to topics: a topic that is deleted and made again has another one. Topics without one
 * (older brokers, no rights) are left out.
 */
export async function fetchTopicIds(broker: RequestingBroker, topics: readonly string[]): Promise<Map<string, string>> {
  const ids = new Map<string, string>();
  if ((broker.versions?.[METADATA]?.maxVersion ?? 0) < VERSION) return ids;
  for (const topic of topics) {
    const id = await fetchTopicId(broker, topic);
    if (id !== null) ids.set(topic, id);
  }
  return ids;
}

async function fetchTopicId(broker: RequestingBroker, topic: string): Promise<string | null> {
  const request = { apiKey: METADATA, apiVersion: VERSION, apiName: 'Metadata', encode: async () => encode(topic) };
  const response = { decode: async (answer: Buffer) => decode(answer), parse: async (id: unknown) => id };
  const { id } = (await broker.connectionPool.send({ request, response })) as { id: string | null };
  return id;
}

/** Asks for one topic, so that its id stands in front of everything that is of no interest here. */
function encode(topic: string): Encoder {
  const name = Buffer.from(topic);
  const [noTags, noId, no] = [Buffer.of(0), Buffer.alloc(16), Buffer.of(0)];
  // The header of a flexible version ends with tags, which kafkajs does not know. Lengths are written plus one.
  const parts = [noTags, Buffer.of(2), noId, varInt(name.length + 1), name, noTags, no, no, no, noTags];
  return new Encoder().writeBuffer(Buffer.concat(parts));
}

function decode(answer: Buffer): { id: string | null } {
  const reader = new Reader(answer);
  reader.skipTags();
  reader.skip(4); // throttle time
  for (let brokers = reader.varInt() - 1; brokers > 0; brokers--) {
    reader.skip(4); // node
    reader.skipText(); // host
    reader.skip(4); // port
    reader.skipText(); // rack
    reader.skipTags();
  }
  reader.skipText(); // cluster
  reader.skip(4); // controller
  if (reader.varInt() - 1 < 1) return { id: null };
  const error = reader.int16();
  reader.skipText(); // name
  const id = reader.hex(16);
  return { id: error !== 0 || id === NO_ID ? null : id };
}

function varInt(value: number): Buffer {
  const bytes: number[] = [];
  for (; value > 0x7f; value >>>= 7) bytes.push((value & 0x7f) | 0x80);
  return Buffer.from([...bytes, value]);
}

class Reader {
  readonly #buffer: Buffer;
  #at = 0;

  constructor(buffer: Buffer) {
    this.#buffer = buffer;
  }

  skip(bytes: number): void {
    this.#at += bytes;
  }

  int16(): number {
    this.#at += 2;
    return this.#buffer.readInt16BE(this.#at - 2);
  }

  hex(bytes: number): string {
    this.#at += bytes;
    return this.#buffer.toString('hex', this.#at - bytes, this.#at);
  }

  varInt(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.#buffer.readUInt8(this.#at++);
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  }

  /** 0 is null, 1 is empty. */
  skipText(): void {
    this.skip(Math.max(0, this.varInt() - 1));
  }

  skipTags(): void {
    for (let tags = this.varInt(); tags > 0; tags--) {
      this.varInt();
      this.skip(this.varInt());
    }
  }
}
