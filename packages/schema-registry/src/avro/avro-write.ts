import type { AvroInput } from './avro-input.js';

/** Reads one value and appends it as JSON. */
export type Write = (input: AvroInput) => void;
