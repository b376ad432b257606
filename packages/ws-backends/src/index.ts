export { BackendLinksError, type BackendLinksErrorCode } from './backend-links-error.js';
export type { WsBackend, WsBackendLinksOptions } from './options.js';
export { WsBackendLinks } from './ws-backend-links.js';
