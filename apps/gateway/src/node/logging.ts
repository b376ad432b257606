import { createLogger, LokiSink, type LeveledLogger } from '@ws-gateway/telemetry';
import type { Config } from '../config/config.js';

/** A node's log, and what pushes it to Loki; null: nobody asked for that. */
export function createLogging(config: Config, node: string): { logger: LeveledLogger; loki: LokiSink | null } {
  const { level, format, environment } = config.logger;
  const loki = config.logger.loki.url === '' ? null : new LokiSink(config.logger.loki);
  const logger = createLogger({
    level,
    format,
    loki,
    tokenParams: config.auth.queryParams,
    fields: { node, ...(environment === '' ? {} : { env: environment }) },
  });
  loki?.on('failing', (reason: string) => logger.warn('loki takes no log lines', { reason }));
  loki?.on('flowing', () => logger.info('loki takes log lines again'));
  return { logger, loki };
}
