import { createLogger, LokiSink, OtlpExporter, type LeveledLogger } from '@ws-gateway/telemetry';
import type { Config } from '../config/config.js';
import { version } from './node-name.js';

/** What a node tells of itself, by its log and otherwise; null: nobody asked for that. */
export interface Logging {
  readonly logger: LeveledLogger;
  readonly loki: LokiSink | null;
  readonly spans: OtlpExporter | null;
}

export function createLogging(config: Config, node: string): Logging {
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
  return { logger, loki, spans: createSpans(config, node, logger) };
}

function createSpans({ tracing }: Config, node: string, logger: LeveledLogger): OtlpExporter | null {
  const { otlpUrl: url, ratio, frames: inFrames } = tracing;
  if (url === '') return null;
  const onFailing = (reason: string): void => logger.warn('the receiver takes no spans', { reason });
  const onFlowing = (): void => logger.info('the receiver takes spans again');
  return new OtlpExporter({ url, ratio, inFrames, node, version, onFailing, onFlowing });
}
