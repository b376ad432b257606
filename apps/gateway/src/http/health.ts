import type { Edge, Engine, RecordSource, RouterStats } from '@ws-gateway/core';

/** What the state of a process is made of. `edge` and `source` are absent where the node has not that role. */
export interface NodeParts {
  readonly engine: Engine;
  readonly edge: Edge | null;
  readonly source: RecordSource | null;
  readonly stats: { readonly router: Pick<RouterStats, 'deadLettersLostMs' | 'topicTroubles'> };
  readonly schemas: SchemaRegistryState | null;
}

/** Whether the schema registry answers. */
export interface SchemaRegistryState {
  readonly healthy: boolean;
  /** No topic of the node can be read without it. */
  readonly needed: boolean;
}

interface JsonAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What one process says about itself. */
export interface NodeState {
  readonly connections: number;
  readonly failing: readonly Failing[];
  /** What a person should look at, and no reason to send clients elsewhere. */
  readonly warnings: readonly string[];
}

/** In the order they are told. The last two are said of workers by the process that started them. */
const FAILINGS = ['kafka', 'redis', 'full', 'draining', 'schema-registry', 'starting', 'unresponsive'] as const;
type Failing = (typeof FAILINGS)[number];

/** Time that `/ready` goes on telling of a lost dead letter. */
const DEAD_LETTERS_MS = 600_000;

/** A topic in trouble fails nothing: the others flow, so it is only named. */
export function stateOf({ edge, engine, source, stats, schemas }: NodeParts): NodeState {
  const failing: Failing[] = [];
  // Kafka is read when the engine is there: until then nothing is known about it, and the engine is what to look at.
  // A node that drains has left the group on purpose.
  const readsKafka = source !== null && edge?.draining !== true && (source.status.started || engine.healthy);
  if (readsKafka && !source.status.healthy) failing.push('kafka');
  if (!engine.healthy) failing.push('redis');
  if (edge?.full === true) failing.push('full');
  if (edge?.draining === true) failing.push('draining');
  const troubles = source?.status.troubles ?? stats.router.topicTroubles;
  const warnings = troubles.map(({ topic, reason }) => `topic:${topic}:${reason}`);
  if (performance.now() - stats.router.deadLettersLostMs < DEAD_LETTERS_MS) warnings.push('dead_letters');
  if (schemas?.healthy === false) {
    warnings.push('schema-registry');
    if (schemas.needed) failing.push('schema-registry');
  }
  return { connections: edge?.connectionCount ?? 0, failing, warnings };
}

/** 200 as long as the process can serve at all: a liveness probe must not kill a node because Redis is away. */
export function health(states: readonly NodeState[]): JsonAnswer {
  return json(200, { status: 'ok', client_count: states.reduce((sum, { connections }) => sum + connections, 0) });
}

/** 503 with what is failing in any of the processes while new clients should go elsewhere. */
export function ready(states: readonly NodeState[]): JsonAnswer {
  const failing = FAILINGS.filter((one) => states.some((state) => state.failing.includes(one)));
  const warnings = [...new Set(states.flatMap((state) => state.warnings))];
  const told = warnings.length > 0 ? { warnings } : {};
  if (failing.length > 0) return json(503, { status: 'unready', failing, ...told });
  return json(200, { status: 'ready', ...told });
}

/** Of one process, as a metric: what it knows about itself. */
export function readiness({ failing }: NodeState): Readonly<Record<string, boolean>> {
  const parts = ['kafka', 'redis', 'full', 'draining'] as const;
  return Object.fromEntries(parts.map((part) => [part, !failing.includes(part)]));
}

function json(status: number, value: unknown): JsonAnswer {
  return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) };
}
