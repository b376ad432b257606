import { describe, expect, it } from '@jest/globals';
import { RecordSpans } from '../../src/spans/record-spans.js';
import type { Span } from '../../src/spans/span.js';

describe('RecordSpans', () => {
  it('begins with the arrival of a record that has no time of its own, which no receiver of spans could read', () => {
    const added: Span[] = [];
    const sink = { ratio: 1, inFrames: false, add: (span: Span) => void added.push(span) };
    const record = { offset: 1, timestamp: -1, key: null, value: null, headers: {} };
    const context = { traceId: '0af7651916cd43dd8448eb211c80319c', parentId: '' };
    const beforeMs = performance.timeOrigin + performance.now();
    new RecordSpans(sink, { topic: 't', partition: 0 }).consumed({
      record,
      context,
      consumeId: 'b7ad6b7169203331',
      routeId: '00f067aa0ba902b7',
    });
    expect(added).toHaveLength(1);
    expect(added[0]!.startMs).toBeGreaterThanOrEqual(beforeMs);
    expect(added[0]!.endMs).toBeGreaterThanOrEqual(added[0]!.startMs);
  });
});
