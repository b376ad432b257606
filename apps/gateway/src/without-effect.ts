import type { Config } from './config/config.js';

/** Keys that are set and valid but do nothing yet in this version: said at start, so that nobody relies on them. */
export function withoutEffect(config: Config): string[] {
  const rows: readonly (readonly [string, boolean])[] = [
    ['server.workers', config.server.workers > 1],
    ['server.proxyProtocol', config.server.proxyProtocol],
    ['redis.mode', config.redis.mode === 'cluster'],
    ['logger.loki.url', config.logger.loki.url !== ''],
  ];
  return rows.filter(([, set]) => set).map(([key]) => key);
}
