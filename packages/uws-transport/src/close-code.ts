/** The reasons that uWebSockets.js gives for a connection it dropped itself, always with 1006. */
const PROTOCOL_ERRORS = new Map([
  ['Received invalid WebSocket frame', 1002],
  ['Received invalid close payload', 1002],
  ['Received invalid UTF-8', 1007],
  ['Received too big message', 1009],
]);

/**
 * The code that says what happened. uWebSockets.js drops a connection that breaks the protocol without a close frame, so
 * the client sees 1006 for these; nothing can be sent any more when the close handler is called. Here the true cause is
 * told at least to the edge.
 */
export function closeCodeOf(code: number, reason: string): number {
  return code === 1006 ? (PROTOCOL_ERRORS.get(reason) ?? code) : code;
}
