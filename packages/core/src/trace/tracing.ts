import type { PublishBatch, PublishResult } from '../engine.js';
import type { Tracer } from './tracer.js';

/**
 * Says whether anything is traced on this node. Parts that messages go through look at it once for each batch, and do
 * nothing more while it is null.
 */
export interface Tracing {
  readonly tracer: Tracer | null;
}

/** Set by whoever knows of traces (see Traces). */
export class TraceSwitch implements Tracing {
  tracer: Tracer | null = null;
}

/** For parts of which nobody traces anything. */
export const nothingTraced: Tracing = { tracer: null };

/** The way of each batch into an engine. */
export function publishTraced(
  { tracer }: Tracing,
  batch: PublishBatch,
  publish: (batch: PublishBatch) => Promise<PublishResult>,
): Promise<PublishResult> {
  return tracer === null ? publish(batch) : tracer.publish(batch, publish);
}
