export { type RequestObserver } from './exchange.js';
export { transportStatuses } from './http-answer.js';
export { TransportError, type TransportErrorCode } from './transport-error.js';
export { createUwsTransport, type UwsTransport, type UwsTransportOptions } from './uws-transport.js';
