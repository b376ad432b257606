/** What a trace is about. */
export type TraceSubject = { readonly user: string } | { readonly id: string };

/** Steps of a message, and what becomes of connections, that a trace tells of. */
export const traceEvents = [
  'record',
  'routed',
  'offline',
  'sent',
  'slow',
  'dropped',
  'replayed',
  'acked',
  'connected',
  'refused',
  'closed',
] as const;

export type TraceEvent = (typeof traceEvents)[number];

export interface TraceStep {
  readonly event: TraceEvent;
  /** When it was, in ms since the epoch, with what there is behind the point: steps of one node keep their order by it. */
  readonly atMs: number;
  /** JSON of what the step knows. */
  readonly data: TraceData;
}

export interface TraceData {
  readonly id: string | null;
  readonly user: string | null;
  readonly node: string;
  /** RFC 3339. */
  readonly timestamp: string;
  readonly [member: string]: unknown;
}

/** Commands by which nodes tell each other of traces. */
export type TraceCommand =
  /** A trace begins, or is still wanted by the node that asked for it. */
  | { readonly command: 'trace'; readonly id: string; readonly from: string; readonly subject: TraceSubject }
  | { readonly command: 'untrace'; readonly id: string }
  /** Steps that a node has seen, for the node that asked. `lost`: how many more there were than could be kept. */
  | { readonly command: 'traced'; readonly id: string; readonly steps: readonly TraceStep[]; readonly lost: number };
