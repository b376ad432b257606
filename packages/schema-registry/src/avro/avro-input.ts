import { utf8Text } from '../json-text.js';
import { SchemaDataError } from '../value-reader.js';

/** Levels of nested values, which a schema that refers to itself allows without end. */
const DEPTH_MAX = 500;

/** Bytes of one value that are read from the front, and the JSON that has been made of them. */
export class AvroInput {
  json = '';
  readonly #bytes: Buffer;
  readonly #lengthMax: number;
  #at = 0;
  #depth = 0;

  constructor(bytes: Buffer, lengthMax: number) {
    this.#bytes = bytes;
    this.#lengthMax = lengthMax;
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** Appends JSON text. */
  put(text: string): void {
    this.json += text;
    if (this.json.length > this.#lengthMax)
      throw new SchemaDataError(`it is more than ${this.#lengthMax} characters`, true);
  }

  enter(): void {
    if (++this.#depth > DEPTH_MAX) throw new SchemaDataError(`it is nested more than ${DEPTH_MAX} levels deep`);
  }

  leave(): void {
    this.#depth--;
  }

  byte(): number {
    if (this.#at >= this.#bytes.length) throw new SchemaDataError('it ends too early');
    return this.#bytes[this.#at++]!;
  }

  /** A zig-zag number of at most 64 bits. */
  long(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asIntN(64, (value >> 1n) ^ -(value & 1n));
    }
    throw new SchemaDataError('a number is longer than 64 bits');
  }

  /** A number of at most four bytes, as nearly all are: far cheaper than a bigint. null: it is longer, and nothing is read. */
  #short(): number | null {
    const bytes = this.#bytes;
    let value = 0;
    for (let length = 0; length < 4; length++) {
      const byte = bytes[this.#at + length];
      if (byte === undefined) return null;
      value |= (byte & 0x7f) << (7 * length);
      if (byte < 0x80) {
        this.#at += length + 1;
        return (value >>> 1) ^ -(value & 1);
      }
    }
    return null;
  }

  /** The digits of a whole number. */
  digits(): string {
    return String(this.#short() ?? this.long());
  }

  /** A number that counts or chooses something. */
  index(): number {
    const short = this.#short();
    if (short !== null) return short;
    const value = this.long();
    if (value < -0x7fffffffn || value > 0x7fffffffn) throw new SchemaDataError(`${value} is too large a count`);
    return Number(value);
  }

  bytes(length: number): Buffer {
    const end = this.#at + length;
    if (length < 0 || end > this.#bytes.length) throw new SchemaDataError('it ends too early');
    const bytes = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return bytes;
  }

  text(): string {
    return utf8Text(this.bytes(this.index()));
  }

  /** Calls `each` for every item of an array or map, which come in blocks. */
  blocks(each: (first: boolean) => void): void {
    for (let first = true; ;) {
      let count = this.index();
      if (count === 0) return;
      if (count < 0) {
        count = -count;
        // The block's bytes, for those who skip it.
        this.long();
      }
      for (; count > 0; count--) {
        each(first);
        first = false;
      }
    }
  }
}
