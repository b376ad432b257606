import type { EdgeStats, Logger } from '@ws-gateway/core';
import { WsBackendLinks } from '@ws-gateway/ws-backends';
import type { Config } from '../config/config.js';

/** The links to `backends.ws`. Throws BackendLinksError for a URL that cannot work. */
export function createBackendLinks(config: Config, deps: { stats: EdgeStats; logger: Logger }): WsBackendLinks {
  const backends = config.backends.ws.map(({ name, url, closeOnBackendLoss, queueBytes, queueEvents }) => ({
    name,
    url,
    closeOnLoss: closeOnBackendLoss,
    queueBytes,
    queueEvents,
  }));
  return new WsBackendLinks(deps, { backends });
}
