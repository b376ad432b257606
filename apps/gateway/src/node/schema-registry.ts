import { formats, type Logger } from '@ws-gateway/core';
import type { SchemaRegistryState } from '../http/health.js';
import { RegistrySchemaReader } from '@ws-gateway/schema-registry';
import type { Config } from '../config/config.js';
import { clientTls } from './client-tls.js';

/** A few bytes of Avro can stand for many characters, so more of them are allowed than a record may have bytes. */
const JSON_PER_BYTE = 4;

/** The reader of registered schemas; null where no registry is configured. */
export function createSchemaReader({ schemaRegistry, limits }: Config, logger: Logger): RegistrySchemaReader | null {
  const { url, username, password, token, tls, timeoutMs } = schemaRegistry;
  if (url === '') return null;
  const options = {
    ...{ url: url.replace(/\/+$/, ''), username, password, token, timeoutMs },
    ...(url.startsWith('https:') ? { tls: clientTls(tls) } : {}),
    jsonLengthMax: limits.maxRecordBytes * JSON_PER_BYTE,
  };
  return new RegistrySchemaReader(options, logger);
}

/** What readiness says of the registry; null where this node has none. */
export function schemasOf({ topics }: Config, reader: RegistrySchemaReader | null): SchemaRegistryState | null {
  if (reader === null) return null;
  const all = [...topics.values()];
  const needed = all.length > 0 && all.every(({ format }) => formats[format].needsRegistry);
  return {
    get healthy() {
      return reader.healthy;
    },
    needed,
  };
}
