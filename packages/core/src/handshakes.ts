import type { HttpRequest } from './http-server.js';
import type { Handshake, Refusal } from './transport.js';

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
