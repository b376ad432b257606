import type { RegisteredSchema } from '../registry-client.js';
import { SchemaDataError, type ValueReader } from '../value-reader.js';
import { AvroInput } from './avro-input.js';
import { AvroTypes } from './avro-types.js';
import type { Write } from './avro-write.js';

/** Reads Avro by the schema it was written with. Throws when the schema itself cannot be used. */
export function avroReader({ schema, references }: RegisteredSchema): ValueReader {
  const types = new AvroTypes();
  for (const reference of references) types.compile(JSON.parse(reference.schema));
  const write: Write = types.compile(JSON.parse(schema));
  return (data, lengthMax) => {
    const input = new AvroInput(data, lengthMax);
    write(input);
    if (!input.atEnd) throw new SchemaDataError('bytes are left over behind the value');
    return input.json;
  };
}
