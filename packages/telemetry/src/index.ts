export { createMetrics, type Metrics, type MetricsInput, type MetricsOptions } from './create-metrics.js';
export { GroupMetrics, type MetricsSnapshot } from './group-metrics.js';
export { OtlpExporter, type OtlpExporterOptions } from './otlp-exporter.js';
export { LokiSink, type LokiOptions } from './loki-sink.js';
export { metricsDocs } from './metrics-docs.js';
export { dashboardManifest } from './dashboard.js';
export {
  createLogger,
  type LeveledLogger,
  type LogFormat,
  type LoggerOptions,
  type LogLevel,
} from './winston-logger.js';
