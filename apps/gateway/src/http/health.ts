import type { Edge, Engine, RecordSource } from '@ws-gateway/core';

/** What /health and /ready look at. `edge` and `source` are absent where the node has not that role. */
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

/** 200 as long as the process can serve at all: a liveness probe must not kill a node because Redis is away. */
export function health(parts: NodeParts): JsonAnswer {
  return json(200, { status: 'ok', client_count: parts.edge?.connectionCount ?? 0 });
}

/**
 * 503 with what is failing while new clients should go elsewhere. A topic that doesn't exist yet fails nothing: the
 * others flow, so it is only named.
 */
export function ready(parts: NodeParts): JsonAnswer {
  const failing: string[] = [];
  if (parts.source !== null && !parts.source.status.healthy) failing.push('kafka');
  if (!parts.engine.healthy) failing.push('redis');
  if (parts.edge?.draining === true) failing.push('draining');
  if (failing.length > 0) return json(503, { status: 'unready', failing });
  const missing = parts.source?.status.missingTopics ?? [];
  return json(200, { status: 'ready', ...(missing.length > 0 ? { missing_topics: missing } : {}) });
}

function json(status: number, value: unknown): JsonAnswer {
  return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) };
}
