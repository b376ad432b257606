export { createGrpcApi, type GrpcApi, type GrpcApiDeps, type GrpcApiOptions, type GrpcPort } from './grpc-api.js';
export { GrpcApiError, type GrpcApiErrorCode } from './grpc-api-error.js';
export type { GrpcTlsFiles } from './credentials.js';
