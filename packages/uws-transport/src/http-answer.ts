import { STATUS_CODES } from 'node:http';
import type { Refusal } from '@ws-gateway/core';
import type { HttpResponse } from 'uWebSockets.js';

/** An HTTP answer. The content type is JSON unless `headers` says something else (names in lower case). */
export interface HttpAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

/** Seconds after which a client that was refused for want of room may try again. */
const RETRY_AFTER_SECONDS = 1;

export function refusalAnswer(refusal: Refusal): HttpAnswer {
  const { status, code, message, retryAfterSeconds, details } = refusal;
  const headers: Record<string, string> =
    retryAfterSeconds === undefined ? {} : { 'retry-after': `${retryAfterSeconds}` };
  return { status, headers, body: JSON.stringify({ error: { ...details, code, message } }) };
}

export const answers = {
  badRequest: (message: string) => refusalAnswer({ status: 400, code: 'bad_request', message }),
  unknownEndpoint: () => refusalAnswer({ status: 404, code: 'unknown_endpoint', message: 'no such endpoint' }),
  bodyTooLarge: (bytesMax: number) =>
    refusalAnswer({ status: 413, code: 'body_too_large', message: `the body may have ${bytesMax} bytes` }),
  internal: () => refusalAnswer({ status: 500, code: 'internal', message: 'internal error' }),
  unavailable: (message: string) =>
    refusalAnswer({ status: 503, code: 'unavailable', message, retryAfterSeconds: RETRY_AFTER_SECONDS }),
  methodNotAllowed: (allow: readonly string[]) =>
    withHeaders(refusalAnswer({ status: 405, code: 'method_not_allowed', message: `use ${allow.join(' or ')}` }), {
      allow: allow.join(', '),
    }),
  /** A plain request where a WebSocket is spoken. */
  upgradeRequired: () =>
    withHeaders(refusalAnswer({ status: 426, code: 'upgrade_required', message: 'this endpoint speaks WebSocket' }), {
      upgrade: 'websocket',
      connection: 'Upgrade',
    }),
  /** RFC 6455 4.4: name the version that is spoken here. */
  unsupportedVersion: () =>
    withHeaders(refusalAnswer({ status: 426, code: 'upgrade_required', message: 'Sec-WebSocket-Version must be 13' }), {
      upgrade: 'websocket',
      connection: 'Upgrade',
      'sec-websocket-version': '13',
    }),
};

/**
 * Answers in one system call. `res` must be neither aborted nor answered. False when the client has not taken all of it
 * yet: then `res` lives on, and what is missing is for the caller to send.
 */
export function writeAnswer(
  res: HttpResponse,
  answer: HttpAnswer,
  head: { method: string; keepAlive: boolean },
): boolean {
  const { status, headers = {}, body } = answer;
  let taken = true;
  res.cork(() => {
    res.writeStatus(`${status} ${STATUS_CODES[status] ?? 'Unknown'}`);
    if (headers['content-type'] === undefined) res.writeHeader('content-type', 'application/json');
    for (const [name, value] of Object.entries(headers)) res.writeHeader(name, value);
    // HEAD is told the length only: a body would be taken for the next answer.
    if (head.method === 'HEAD') res.endWithoutBody(Buffer.byteLength(body), !head.keepAlive);
    // Only `end` can close the connection, and it leaves the rest to uWebSockets.js and its own 10 s.
    else if (!head.keepAlive) res.end(body, true);
    else [, taken] = res.tryEnd(body, Buffer.byteLength(body));
  });
  return taken;
}

function withHeaders(answer: HttpAnswer, headers: Readonly<Record<string, string>>): HttpAnswer {
  return { ...answer, headers: { ...answer.headers, ...headers } };
}
