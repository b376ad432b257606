import type { HttpRequest } from './http-server.js';
import type { Handshake, Refusal } from './transport.js';

/**
 * Handshakes of one transport that the edge may think about at once; more are answered 503, and their clients come again. One
 * takes 0.3 to 0.6 ms of a core, so 16,000 are what a node can do in the 10 s that clients and `server.readTimeout` wait; whoever came
 * behind them would wait in vain. One takes up to 20 KiB (measured), so all take 320 MiB at most. Fewer than wait in the kernel's
 * queues and in one turn of the event loop would turn away a crowd that can be served.
 */
export const HANDSHAKES_IN_FLIGHT_MAX = 16_000;

/** Reads off a request what each transport tells the edge of a handshake. */
export function handshakeOf(request: Pick<HttpRequest, 'path' | 'query' | 'header' | 'remoteAddress'>): Handshake {
  return {
    path: request.path,
    query: request.query,
    authorization: request.header('authorization'),
    header: (name) => request.header(name),
    origin: request.header('origin') || null,
    protocols: request.header('sec-websocket-protocol'),
    forwardedFor: request.header('x-forwarded-for'),
    remoteAddress: request.remoteAddress,
  };
}

/** Refusals that a transport makes by itself, whatever the edge would say: their clients may come back at once. */
export const handshakeRefusals = {
  tooMany: comeBack('too many handshakes'),
  tooSlow: comeBack('the handshake took too long'),
  failed: comeBack('internal error'),
};

function comeBack(message: string): Refusal {
  return { status: 503, code: 'unavailable', message, retryAfterSeconds: 1 };
}
