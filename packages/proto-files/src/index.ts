export { importsOf, readProtoFiles, type ProtoSource } from './proto-files.js';
export { wellKnownFileNames, wellKnownFiles } from './well-known-types.js';
