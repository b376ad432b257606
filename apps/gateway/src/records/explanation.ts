import { audienceText, userStream, type PublishItem } from '@ws-gateway/core';
import type { Verdict } from './topic-decoding.js';

/** Place of a record. */
export interface RecordPlace {
  /** Kafka's name. */
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** What a record would become; `frame` is JSON text. */
export type Explanation =
  | { readonly audience: string; readonly streams: readonly string[]; readonly frame: string }
  | { readonly reason: string; readonly message: string }
  | { readonly skipped: true }
  | { readonly expired: true };

export function explain(verdict: Verdict): Explanation {
  switch (verdict.kind) {
    case 'dead_letter':
      return { reason: verdict.error, message: verdict.message };
    case 'skipped':
      return { skipped: true };
    case 'expired':
      return { expired: true };
    case 'items': {
      const [first] = verdict.items;
      return {
        audience: audienceText(verdict.items),
        streams: verdict.items.flatMap(streamOf),
        frame: frameOf(first!),
      };
    }
  }
}

/** Writes one line of JSON. The frame is put in as it is: nothing re-formats its numbers. */
export function explanationJson({ topic, partition, offset }: RecordPlace, explanation: Explanation): string {
  const { frame, ...members } = 'frame' in explanation ? explanation : { ...explanation, frame: null };
  const head = JSON.stringify({ topic, partition, offset, ...members });
  return frame === null ? head : `${head.slice(0, -1)},"frame":${frame}}`;
}

function streamOf(item: PublishItem): string[] {
  if (item.kind === 'all') return [];
  return [item.kind === 'channel' ? item.stream : userStream(item.topic, item.user)];
}

/** The frame as clients get it, but for the position, which only the engine knows. */
function frameOf({ head }: PublishItem): string {
  return head.endsWith(',"epoch":"') ? `${head.slice(0, -',"epoch":"'.length)}}` : head;
}
