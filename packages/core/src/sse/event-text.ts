import { eventIn, positionIn } from '../frame.js';
import type { StreamPosition } from '../streams.js';

/** A frame as an event, but for its id: the same bytes for everybody who gets it. */
export interface EventBody {
  readonly position: StreamPosition | null;
  /** Lines behind the id, and the empty one that ends the event. */
  readonly bytes: Uint8Array;
  /** Time in ms after which a client that is sent away shall come back; null: this is not about that. */
  readonly afterMs: number | null;
}

const LF = 10;
const CR = 13;
const END = Buffer.from('\n\n');

/** A line that clients pass over. */
export const COMMENT = ':\n\n';

export function eventBodyOf(frame: Uint8Array): EventBody {
  const event = eventIn(frame);
  const head = Buffer.from(`event: ${event.replaceAll(/[\r\n]/g, ' ')}\ndata: `);
  const bytes = Buffer.concat([head, asData(frame), END]);
  return { position: positionIn(frame), bytes, afterMs: event === 'reconnect' ? afterMsOf(frame) : null };
}

/** The last event: what a WebSocket would say by its close frame, and when to come back. */
export function closeEvent(close: { code: number; reason: string; after_ms: number }, id: string | null): string {
  const lines = [`retry: ${close.after_ms}`, 'event: close', ...(id === null ? [] : [`id: ${id}`])];
  return `${lines.join('\n')}\ndata: ${JSON.stringify(close)}\n\n`;
}

/** JSON may have line breaks around its values. Each one begins another line of data, and clients put it back as LF. */
function asData(frame: Uint8Array): Uint8Array {
  if (!frame.includes(LF) && !frame.includes(CR)) return frame;
  const text = Buffer.from(frame.buffer, frame.byteOffset, frame.length).toString();
  return Buffer.from(text.replaceAll(/[\r\n]/g, '\ndata: '));
}

/** A topic may have the name of the gateway's own event. */
function afterMsOf(frame: Uint8Array): number | null {
  const { status, payload } = JSON.parse(Buffer.from(frame).toString()) as { status: string; payload: unknown };
  const { after_ms: afterMs } = (payload ?? {}) as { after_ms?: unknown };
  return status === 'ok' && typeof afterMs === 'number' ? afterMs : null;
}
