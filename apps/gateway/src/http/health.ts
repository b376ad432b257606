import type { Edge, Engine, RecordSource } from '@ws-gateway/core';

/** What the state of a process is made of. `edge` and `source` are absent where the node has not that role. */
export interface NodeParts {
  readonly engine: Engine;
  readonly edge: Edge | null;
  readonly source: RecordSource | null;
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
  readonly missingTopics: readonly string[];
}

/** In the order they are told. The last two are said of workers by the process that started them. */
const FAILINGS = ['kafka', 'redis', 'draining', 'starting', 'unresponsive'] as const;
type Failing = (typeof FAILINGS)[number];

/** A topic that doesn't exist yet fails nothing: the others flow, so it is only named. */
export function stateOf({ edge, engine, source }: NodeParts): NodeState {
  const failing: Failing[] = [];
  // Kafka is read when the engine is there: until then nothing is known about it, and the engine is what to look at.
  // A node that drains has left the group on purpose.
  const readsKafka = source !== null && edge?.draining !== true && (source.status.started || engine.healthy);
  if (readsKafka && !source.status.healthy) failing.push('kafka');
  if (!engine.healthy) failing.push('redis');
  if (edge?.draining === true) failing.push('draining');
  return { connections: edge?.connectionCount ?? 0, failing, missingTopics: source?.status.missingTopics ?? [] };
}

/** 200 as long as the process can serve at all: a liveness probe must not kill a node because Redis is away. */
export function health(states: readonly NodeState[]): JsonAnswer {
  return json(200, { status: 'ok', client_count: states.reduce((sum, { connections }) => sum + connections, 0) });
}

/** 503 with what is failing in any of the processes while new clients should go elsewhere. */
export function ready(states: readonly NodeState[]): JsonAnswer {
  const failing = FAILINGS.filter((one) => states.some((state) => state.failing.includes(one)));
  if (failing.length > 0) return json(503, { status: 'unready', failing });
  const missing = [...new Set(states.flatMap(({ missingTopics }) => missingTopics))];
  return json(200, { status: 'ready', ...(missing.length > 0 ? { missing_topics: missing } : {}) });
}

/** Of one process, as a metric: what it knows about itself. */
export function readiness({ failing }: NodeState): Readonly<Record<string, boolean>> {
  const parts = ['kafka', 'redis', 'draining'] as const;
  return Object.fromEntries(parts.map((part) => [part, !failing.includes(part)]));
}

function json(status: number, value: unknown): JsonAnswer {
  return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) };
}
