/** The reasons that uWebSockets.js gives for a connection it dropped itself, always with 1006. */
const PROTOCOL_ERRORS = new Map([
  ['Received invalid WebSocket frame', 1002],
  ['Received invalid UTF-8', 1007],
  ['Received too big message', 1009],
]);

/** What uWebSockets.js says in place of a close code from 1012 to 3999, all of which it takes for broken. */
const UNTOLD_CODE = 'Received invalid close payload';

/**
 * Stands for all of these codes. Browsers send none but 1000 and 3000 to 4999, so what is not told is nearly always a
 * code that the client's application invented.
 */
const INVENTED_CODE = 3000;

/**
 * The close that says what happened. uWebSockets.js drops a connection that breaks the protocol without a close frame, so
 * the client sees 1006 for these; nothing can be sent any more when the close handler is called. Here the true cause is
 * told at least to the edge.
 */
export function closeOf(code: number, reason: string): { code: number; reason: string } {
  if (code !== 1006) return { code, reason };
  if (reason === UNTOLD_CODE) return { code: INVENTED_CODE, reason: '' };
  return { code: PROTOCOL_ERRORS.get(reason) ?? code, reason };
}
