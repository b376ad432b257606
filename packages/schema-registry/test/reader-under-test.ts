import type { Logger, Rejection, SchemaFormat, SchemaValue } from '@ws-gateway/core';
import { RegistryServer } from '@ws-gateway/testkit';
import { RegistrySchemaReader, type RegistrySchemaReaderOptions } from '../src/index.js';

/** Characters that a value may become. */
export const JSON_LENGTH_MAX = 100_000;

/** A reader with a registry of its own. */
export class ReaderUnderTest {
  readonly registry: RegistryServer;
  readonly errors: string[] = [];
  readonly #readers: RegistrySchemaReader[] = [];

  private constructor(registry: RegistryServer) {
    this.registry = registry;
    this.open();
  }

  static async start(): Promise<ReaderUnderTest> {
    return new ReaderUnderTest(await RegistryServer.start());
  }

  get reader(): RegistrySchemaReader {
    return this.#readers.at(-1)!;
  }

  /** From now on values are read by one that knows nothing yet. */
  open(changes: Partial<RegistrySchemaReaderOptions> = {}): void {
    const login = { username: '', password: '', token: '' };
    const options = { ...login, timeoutMs: 2000, jsonLengthMax: JSON_LENGTH_MAX, ...changes };
    this.#readers.push(new RegistrySchemaReader({ url: this.registry.url, ...options }, this.#logger()));
  }

  async read(value: Buffer, format: SchemaFormat): Promise<SchemaValue | Rejection> {
    for (;;) {
      const result = this.reader.read(format, value);
      if (result.kind !== 'pending') return result;
      await result.ready;
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.#readers.map((reader) => reader.stop()));
    await this.registry.stop();
  }

  #logger(): Logger {
    const error = (message: string): void => void this.errors.push(message);
    const logger: Logger = { error, warn: error, info: () => undefined, debug: () => undefined, child: () => logger };
    return logger;
  }
}

/** A value in the frame of the registry's serializers. */
export function framed(id: number, ...bytes: number[]): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(id, 1);
  return Buffer.concat([head, Buffer.from(bytes)]);
}
