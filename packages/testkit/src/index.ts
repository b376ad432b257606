export { freePort } from '@ws-gateway/local-servers';
export * from './gateway-process.js';
export * from './kafka-client.js';
export * from './servers.js';
export * from './tcp-proxy.js';
export * from './token.js';
export * from './wait.js';
export * from './ws-client.js';
