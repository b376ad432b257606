import { SchemaDataError } from '../value-reader.js';

/** Levels of messages within messages: what the libraries of producers read themselves. */
const DEPTH_MAX = 100;

/** What comes behind a tag, by the low three bits of the tag. */
export const WireType = { Varint: 0, Fixed64: 1, Bytes: 2, StartGroup: 3, EndGroup: 4, Fixed32: 5 } as const;

/** Counts the JSON that a value becomes: a few bytes can claim to be very many characters. */
export class JsonBudget {
  readonly #lengthMax: number;
  #length = 0;

  constructor(lengthMax: number) {
    this.#lengthMax = lengthMax;
  }

  spend(length: number): void {
    this.#length += length;
    if (this.#length > this.#lengthMax)
      throw new SchemaDataError(`it is more than ${this.#lengthMax} characters`, true);
  }
}

/** The bytes of one value, read from the front. What is read is bounded by `end`, which is that of the innermost message. */
export class WireInput {
  readonly bytes: Buffer;
  readonly budget: JsonBudget;
  at = 0;
  end: number;
  /** The last number that was read, as two halves of 32 bits. */
  low = 0;
  high = 0;
  #depth: number;

  constructor(bytes: Buffer, budget: JsonBudget, depth = 0) {
    this.bytes = bytes;
    this.budget = budget;
    this.end = bytes.length;
    this.#depth = depth;
  }

  /** The same for bytes that belong to the value, and are not in one piece in it. */
  over(bytes: Buffer): WireInput {
    return new WireInput(bytes, this.budget, this.#depth);
  }

  /** Reads a message that is in a part of the bytes. */
  within<T>(start: number, end: number, read: () => T): T {
    const [at, outerEnd] = [this.at, this.end];
    if (++this.#depth > DEPTH_MAX) throw new SchemaDataError(`it is nested more than ${DEPTH_MAX} levels deep`);
    this.at = start;
    this.end = end;
    const result = read();
    this.at = at;
    this.end = outerEnd;
    this.#depth--;
    return result;
  }

  varint(): void {
    let [low, high] = [0, 0];
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.#byte();
      const bits = byte & 0x7f;
      if (shift < 32) low |= bits << shift;
      if (shift === 28) high = bits >>> 4;
      if (shift > 28) high |= bits << (shift - 32);
      if (byte >= 0x80) continue;
      this.low = low;
      this.high = high;
      return;
    }
    throw new SchemaDataError('a number is longer than 64 bits');
  }

  fixed32(): void {
    this.#need(4);
    this.low = this.bytes.readUInt32LE(this.at) | 0;
    this.high = 0;
    this.at += 4;
  }

  fixed64(): void {
    this.#need(8);
    this.low = this.bytes.readUInt32LE(this.at) | 0;
    this.high = this.bytes.readUInt32LE(this.at + 4) | 0;
    this.at += 8;
  }

  float(): number {
    this.#need(4);
    this.at += 4;
    return this.bytes.readFloatLE(this.at - 4);
  }

  double(): number {
    this.#need(8);
    this.at += 8;
    return this.bytes.readDoubleLE(this.at - 8);
  }

  /** Reads a length and goes behind the bytes that have it. Returns where they begin. */
  skipBytes(): number {
    this.varint();
    const length = this.low >>> 0;
    if (this.high !== 0) throw new SchemaDataError('it ends too early');
    this.#need(length);
    this.at += length;
    return this.at - length;
  }

  bytesHere(): Buffer {
    const start = this.skipBytes();
    return this.bytes.subarray(start, this.at);
  }

  /** Reads a tag. Returns the number of the field; its wire type is the low three bits of `low`. */
  tag(): number {
    this.varint();
    const number = this.low >>> 3;
    if (this.high !== 0 || number === 0) throw new SchemaDataError('a field has no number');
    return number;
  }

  /** Goes behind the value of a field that nobody wants. */
  skip(wireType: number, number: number): void {
    switch (wireType) {
      case WireType.Varint:
        return this.varint();
      case WireType.Fixed64:
        return this.fixed64();
      case WireType.Bytes:
        return void this.skipBytes();
      case WireType.StartGroup:
        return void this.skipGroup(number);
      case WireType.Fixed32:
        return this.fixed32();
      default:
        throw new SchemaDataError(`field ${number} has the wire type ${wireType}`);
    }
  }

  /** Goes behind a group whose tag was read. Returns where what is in it ends. */
  skipGroup(number: number): number {
    const open = [number];
    for (;;) {
      const start = this.at;
      const inner = this.tag();
      const wireType = this.low & 7;
      if (wireType === WireType.StartGroup) {
        if (open.push(inner) + this.#depth > DEPTH_MAX)
          throw new SchemaDataError(`it is nested more than ${DEPTH_MAX} levels deep`);
      } else if (wireType !== WireType.EndGroup) this.skip(wireType, inner);
      else if (open.pop() !== inner) throw new SchemaDataError(`a group ends as field ${inner}, which it is not`);
      else if (open.length === 0) return start;
    }
  }

  #byte(): number {
    if (this.at >= this.end) throw new SchemaDataError('it ends too early');
    return this.bytes[this.at++]!;
  }

  #need(length: number): void {
    if (length > this.end - this.at) throw new SchemaDataError('it ends too early');
  }
}
