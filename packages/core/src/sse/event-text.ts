import { eventIn, positionIn } from '../frame.js';
import type { StreamPosition } from '../streams.js';

/** A frame as an event, but for its id: the same bytes for everybody who gets it. */
export interface EventBody {
  readonly position: StreamPosition | null;
  /** Lines behind the id, and the empty one that ends the event. */
  readonly bytes: Uint8Array;
  /** What a frame of the gateway itself says of coming back; null: any other frame. */
  readonly comingBack: ComingBack | null;
}

interface ComingBack {
  /** Time in ms after which the client shall come back, now that it is sent away. */
  readonly after_ms?: number;
  /** Time in ms over which the clients of this node come back when it is gone. */
  readonly reconnect_spread_ms?: number;
}

const OWN_EVENTS: ReadonlySet<string> = new Set(['connected', 'reconnect']);

const LF = 10;
const CR = 13;
const END = Buffer.from('\n\n');

/** A line that clients pass over. */
export const COMMENT = ':\n\n';

export function eventBodyOf(frame: Uint8Array): EventBody {
  const event = eventIn(frame);
  const head = Buffer.from(`event: ${event.replaceAll(/[\r\n]/g, ' ')}\ndata: `);
  const bytes = Buffer.concat([head, asData(frame), END]);
  return { position: positionIn(frame), bytes, comingBack: OWN_EVENTS.has(event) ? comingBackIn(frame) : null };
}

/** The last event: what a WebSocket would say by its close frame, and when to come back. */
export function closeEvent(
  close: { code: number; reason: string; after_ms: number },
  { retryMs, id }: { retryMs: number; id: string | null },
): string {
  const lines = [`retry: ${retryMs}`, 'event: close', ...(id === null ? [] : [`id: ${id}`])];
  return `${lines.join('\n')}\ndata: ${JSON.stringify(close)}\n\n`;
}

/** JSON may have line breaks around its values. Each one begins another line of data, and clients put it back as LF. */
function asData(frame: Uint8Array): Uint8Array {
  if (!frame.includes(LF) && !frame.includes(CR)) return frame;
  const text = Buffer.from(frame.buffer, frame.byteOffset, frame.length).toString();
  return Buffer.from(text.replaceAll(/[\r\n]/g, '\ndata: '));
}

/** A topic may have the name of an event of the gateway's own. */
function comingBackIn(frame: Uint8Array): ComingBack | null {
  const { status, payload } = JSON.parse(Buffer.from(frame).toString()) as { status: string; payload: ComingBack };
  return status === 'ok' ? payload : null;
}
