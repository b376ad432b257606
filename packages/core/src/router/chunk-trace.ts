import type { SourceRecord } from '../record-source.js';
import type { DecodeContext, Decoded } from '../records/decoded.js';
import type { RecordDecoder } from '../records/record-decoder.js';
import type { Tracer } from '../trace/tracer.js';
import type { TopicPolicy } from '../topics.js';

interface ChunkOrigin {
  readonly decoder: RecordDecoder;
  readonly policy: TopicPolicy;
  readonly partition: number;
  readonly context: DecodeContext;
}

/** Tells a trace of records: decoded once more, so that nothing is kept of them while nobody traces. */
export function traceChunk(
  tracer: Tracer,
  records: readonly SourceRecord[],
  { decoder, policy, partition, context }: ChunkOrigin,
): void {
  for (const record of records) {
    const decoded = decoder.decode(record, context);
    // Nothing is made of what is too old; what it was when it was new says whose it is, and what it is called.
    const whole =
      decoded.kind === 'expired' ? decoder.decode(record, { ...context, nowMs: record.timestamp }) : decoded;
    const items = whole.kind === 'items' ? whole.items : [];
    tracer.record({ topic: policy.name, partition, record, items, reason: reasonOf(decoded) });
  }
}

function reasonOf(decoded: Decoded): { code: string; message: string } | null {
  switch (decoded.kind) {
    case 'items':
      return null;
    case 'dead_letter':
      return { code: decoded.error, message: `dead letter: ${decoded.message}` };
    case 'expired':
      return { code: 'expired', message: 'older than its topic or its header ws-ttl-ms allows' };
    case 'skipped':
      return { code: 'skipped', message: 'the topic wants no such record: `when`, or `tombstone: skip`' };
    case 'pending':
      return { code: 'pending', message: 'its schema is being fetched' };
  }
}
