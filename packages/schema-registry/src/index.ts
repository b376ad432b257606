export { RegistrySchemaReader, type RegistrySchemaReaderOptions } from './registry-schema-reader.js';
