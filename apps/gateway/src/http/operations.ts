import type { ClusterSurvey, Engine, HttpServer, Logger, RecordWriter, Traces } from '@ws-gateway/core';
import type { KafkaConnectionOptions } from '@ws-gateway/kafka-source';
import { addAdminRoutes } from '../admin/admin-api.js';
import { operatorsOf } from '../admin/operators.js';
import { addConsole } from '../console/console.js';
import type { LiveConfig } from '../node/live-config.js';
import { deadLetterAccess } from '../node/dead-letter-access.js';
import { adminOptions } from '../node/part-options.js';
import { addRoutes, type WorkerGroup } from './routes.js';

interface OperationsDeps {
  readonly node: string;
  readonly engine: Engine;
  readonly kafka: KafkaConnectionOptions;
  /** Writer; null: this node writes nothing to Kafka. */
  readonly writer: RecordWriter | null;
  readonly survey: ClusterSurvey;
  readonly traces: Traces;
  readonly group: WorkerGroup;
  readonly logger: Logger;
}

/** Serves what operators and machines ask for: admin API, console, health, readiness and metrics, all on one port. */
export function addOperations(server: HttpServer, live: LiveConfig, deps: OperationsDeps): void {
  const { config } = live;
  const { node, engine, kafka, writer, survey, traces, group, logger } = deps;
  const deadLetters = deadLetterAccess(kafka, config.kafka.deadLetterTopic);
  const parts = { engine, writer, survey, traces, deadLetters, logger: logger.child({ part: 'admin' }) };
  addAdminRoutes(server, { ...parts, ...adminOptions(live) }, () => operatorsOf(live.config.admin));
  if (config.console.enabled) addConsole(server, config, node);
  addRoutes(server, group, config.metrics.enabled ? config.metrics.path : null);
}
