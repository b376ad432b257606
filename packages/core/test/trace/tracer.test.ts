import { expect, test } from '@jest/globals';
import type { PublishBatch, PublishResult } from '../../src/engine.js';
import type { Ticket } from '../../src/outcomes/outcome.js';
import type { TraceStep } from '../../src/trace/trace-command.js';
import { Tracer } from '../../src/trace/tracer.js';

// On topics with deliveries its outcome is published, too, and looked like a message that found nobody.
test('a message that was too old when it came is not told to be offline', async () => {
  const steps: TraceStep[] = [];
  const tracer = new Tracer('n1');
  tracer.set('t1', { subject: { user: 'u1' }, add: (step) => steps.push(step) });
  const base = { sourceOffset: 3, recordTimeMs: 1, topic: 'notifications', user: 'u1' };
  const ticket: Ticket = { offlineAfterMs: 5000, ackTimeoutMs: 0, endsAtMs: 2, about: '' };
  const head = '{"rid":-1,"event":"notifications","status":"update","topic":"notifications","id":"n-2","payload":1';
  const batch: PublishBatch = {
    source: null,
    items: [
      { ...base, kind: 'expired', head: '', ticket },
      { ...base, kind: 'user', head, retention: null },
    ],
  };
  const nobody = { nodes: 0, position: null };
  const result: PublishResult = { routed: 0, offline: 2, duplicates: 0, items: [nobody, nobody] };
  await tracer.publish(batch, () => Promise.resolve(result));
  expect(steps.map(({ event, data }) => [event, data.id])).toEqual([['offline', 'n-2']]);
});
