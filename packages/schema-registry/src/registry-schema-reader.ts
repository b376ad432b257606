import {
  Backoff,
  own,
  reject,
  type BackoffOptions,
  type Logger,
  type Pending,
  type Rejection,
  type SchemaFormat,
  type SchemaReader,
  type SchemaValue,
} from '@ws-gateway/core';
import { avroReader } from './avro/avro-reader.js';
import { protobufReader } from './protobuf/protobuf-reader.js';
import { jsonSchemaReader } from './json-schema-reader.js';
import { RegistryClient, type RegisteredSchema, type RegistryClientOptions } from './registry-client.js';
import { SchemaDataError, type ValueReader } from './value-reader.js';

export interface RegistrySchemaReaderOptions extends RegistryClientOptions {
  /** Characters of the JSON that a value may become: a few bytes of Avro can claim to be very many. */
  readonly jsonLengthMax: number;
}

const MAGIC = 0;
const FRAME_BYTES = 5;
/** Registries count from 1. */
const FIRST_ID = 1;
/** An id that the registry does not know may be known a moment later, on another of its servers. */
const UNKNOWN_MS = 10_000;
const UNKNOWN_MAX = 10_000;
const RETRY: BackoffOptions = { firstMs: 200, maxMs: 5_000, jitter: 0 };

const SCHEMA_TYPES: Readonly<Record<SchemaFormat, string>> = {
  avro: 'AVRO',
  protobuf: 'PROTOBUF',
  'json-schema': 'JSON',
};

type Entry =
  | { readonly state: 'loading'; readonly ready: Promise<void> }
  | { readonly state: 'known'; readonly type: string; readonly reader: ValueReader | Rejection }
  | { readonly state: 'unknown'; readonly untilMs: number };

/**
 * SchemaReader over a schema registry of Confluent's kind. A schema never changes under its id, so each is asked for once.
 * While the registry is away what needs it stays pending, and is asked for again with growing pauses.
 */
export class RegistrySchemaReader implements SchemaReader {
  readonly #client: RegistryClient;
  readonly #options: RegistrySchemaReaderOptions;
  readonly #logger: Logger;
  readonly #entries = new Map<number, Entry>();
  readonly #stopping = new AbortController();
  #failing = false;

  constructor(options: RegistrySchemaReaderOptions, logger: Logger) {
    this.#client = new RegistryClient(options);
    this.#options = options;
    this.#logger = logger;
  }

  /** False while the registry does not give what is asked of it. */
  get healthy(): boolean {
    return !this.#failing;
  }

  read(format: SchemaFormat, value: Buffer): SchemaValue | Rejection | Pending {
    if (value[0] !== MAGIC || value.length < FRAME_BYTES) {
      return reject('bad_magic', 'the value does not begin with byte 0 and the id of a schema');
    }
    const id = value.readUInt32BE(1);
    const entry = this.#entryOf(id);
    if (entry.state === 'loading') return { kind: 'pending', ready: entry.ready };
    if (entry.state === 'unknown') return reject('unknown_schema', `the schema registry has no schema ${id}`);
    if (entry.type !== SCHEMA_TYPES[format]) {
      return reject('unknown_schema', `schema ${id} is of type ${entry.type}, not ${SCHEMA_TYPES[format]}`);
    }
    if ('kind' in entry.reader) return entry.reader;
    return this.#json(id, entry.reader, value.subarray(FRAME_BYTES));
  }

  /** Asks for a schema once. Rejects when the registry is away or refuses; which ids it knows does not matter. */
  async probe(): Promise<void> {
    await this.#client.schema(FIRST_ID);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#client.close();
  }

  #json(id: number, reader: ValueReader, data: Buffer): SchemaValue | Rejection {
    try {
      return { kind: 'value', json: reader(data, this.#options.jsonLengthMax) };
    } catch (error) {
      if (!(error instanceof SchemaDataError)) throw error;
      return reject(error.tooLarge ? 'too_large' : 'bad_schema_data', `schema ${id}: ${error.message}`);
    }
  }

  #entryOf(id: number): Entry {
    const known = this.#entries.get(id);
    if (known !== undefined && (known.state !== 'unknown' || known.untilMs > performance.now())) return known;
    const entry: Entry = { state: 'loading', ready: this.#load(id) };
    this.#entries.set(id, entry);
    return entry;
  }

  /** Never rejects: asks until there is an answer, or this is stopped. */
  async #load(id: number): Promise<void> {
    const backoff = new Backoff(RETRY);
    while (!this.#stopping.signal.aborted) {
      try {
        const schema = await this.#client.schema(id);
        this.#recovered();
        this.#keep(id, schema);
        return;
      } catch (error) {
        if (this.#stopping.signal.aborted) return;
        this.#failed(id, error);
      }
      await backoff.wait(this.#stopping.signal);
    }
  }

  #keep(id: number, schema: RegisteredSchema | null): void {
    if (schema !== null) {
      this.#entries.set(id, { state: 'known', type: schema.type, reader: readerOf(id, schema) });
      return;
    }
    this.#forgetUnknown();
    this.#entries.set(id, { state: 'unknown', untilMs: performance.now() + UNKNOWN_MS });
  }

  /** Records may name any ids, so what is not known is kept bounded. */
  #forgetUnknown(): void {
    if (this.#entries.size < UNKNOWN_MAX) return;
    for (const [id, { state }] of this.#entries) if (state === 'unknown') this.#entries.delete(id);
  }

  /** An outage is one line at its beginning and one at its end. */
  #failed(id: number, error: unknown): void {
    const fields = { url: this.#options.url, id, error: String(error) };
    if (this.#failing) this.#logger.debug('schema registry still not usable', fields);
    else this.#logger.error('schema registry not usable, records that need it wait', fields);
    this.#failing = true;
  }

  #recovered(): void {
    if (this.#failing) this.#logger.info('schema registry usable again', { url: this.#options.url });
    this.#failing = false;
  }
}

/** What makes a reader of a schema, by the registry's name of its type. */
const readers: Readonly<Record<string, (schema: RegisteredSchema) => ValueReader>> = {
  AVRO: avroReader,
  PROTOBUF: protobufReader,
  JSON: () => jsonSchemaReader,
};

function readerOf(id: number, schema: RegisteredSchema): ValueReader | Rejection {
  try {
    const make = own(readers, schema.type);
    if (make === undefined) throw new Error(`schemas of type ${schema.type} are not read`);
    return make(schema);
  } catch (error) {
    return reject('unknown_schema', `schema ${id} cannot be used: ${(error as Error).message}`);
  }
}
