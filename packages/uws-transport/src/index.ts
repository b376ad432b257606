export { type RequestObserver } from './exchange.js';
export { transportStatuses, type HttpAnswer } from './http-answer.js';
export { type HttpRequest } from './http-request.js';
export { type RouteHandler } from './http-routes.js';
export { TransportError, type TransportErrorCode } from './transport-error.js';
export { createUwsTransport, type UwsTransport, type UwsTransportOptions } from './uws-transport.js';
