import type { Engine, PublishItem } from '@ws-gateway/core';

/** A message to u1, without history and without a record. */
function message(text: string): PublishItem {
  return { kind: 'user', topic: 't', user: 'u1', retention: null, head: text, sourceOffset: -1, recordTimeMs: 1 };
}

/** Publishes messages one after the other, each in a batch of its own. */
export async function publish(engine: Engine, ...texts: string[]): Promise<void> {
  for (const text of texts) await engine.publish({ source: null, items: [message(text)] });
}
