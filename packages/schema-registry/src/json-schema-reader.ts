import { isUtf8 } from 'node:buffer';
import { SchemaDataError } from './value-reader.js';

/** Values of a JSON schema are JSON already. Whether they fit the schema is their producer's affair. */
export function jsonSchemaReader(data: Buffer): string {
  if (!isUtf8(data)) throw new SchemaDataError('the value is not UTF-8');
  const json = data.toString('utf8');
  try {
    JSON.parse(json);
  } catch {
    throw new SchemaDataError('the value is not JSON');
  }
  return json;
}
