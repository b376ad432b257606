import { STATUS_CODES } from 'node:http';
import type { HttpAnswer, Refusal } from '@ws-gateway/core';
import type { HttpResponse } from 'uWebSockets.js';

/** Seconds after which a client that was refused for want of room may try again. */
const RETRY_AFTER_SECONDS = 1;

export function refusalAnswer(refusal: Refusal): WholeAnswer {
  const { status, code, message, retryAfterSeconds, details } = refusal;
  const headers: Record<string, string> =
    retryAfterSeconds === undefined ? {} : { 'retry-after': `${retryAfterSeconds}` };
  return { status, headers, body: JSON.stringify({ error: { ...details, code, message } }) };
}

/** Refusals of the transport itself. */
export const transportStatuses = {
  bad_request: 400,
  unknown_endpoint: 404,
  method_not_allowed: 405,
  body_too_large: 413,
  upgrade_required: 426,
  internal: 500,
  unavailable: 503,
} as const;

function refused(code: keyof typeof transportStatuses, message: string, headers = {}): WholeAnswer {
  const answer = refusalAnswer({ status: transportStatuses[code], code, message });
  return { ...answer, headers: { ...answer.headers, ...headers } };
}

const UPGRADE = { upgrade: 'websocket', connection: 'Upgrade' } as const;

export const answers = {
  badRequest: (message: string) => refused('bad_request', message),
  unknownEndpoint: () => refused('unknown_endpoint', 'no such endpoint'),
  bodyTooLarge: (bytesMax: number) => refused('body_too_large', `the body may have ${bytesMax} bytes`),
  internal: () => refused('internal', 'internal error'),
  unavailable: (message: string) => refused('unavailable', message, { 'retry-after': `${RETRY_AFTER_SECONDS}` }),
  methodNotAllowed: (allow: readonly string[]) =>
    refused('method_not_allowed', `use ${allow.join(' or ')}`, { allow: allow.join(', ') }),
  /** A plain request where a WebSocket is spoken. */
  upgradeRequired: () => refused('upgrade_required', 'this endpoint speaks WebSocket', UPGRADE),
  /** RFC 6455 4.4: name the version that is spoken here. */
  unsupportedVersion: () =>
    refused('upgrade_required', 'Sec-WebSocket-Version must be 13', { ...UPGRADE, 'sec-websocket-version': '13' }),
};

/** An answer whose length is known before it begins. */
export type WholeAnswer = HttpAnswer & { readonly body: string | Uint8Array };

export function isWhole(answer: HttpAnswer): answer is WholeAnswer {
  return typeof answer.body !== 'function';
}

/**
 * Answers in one system call. `res` must be neither aborted nor answered. False when the client has not taken all of it
 * yet: then `res` lives on, and what is missing is for the caller to send.
 */
export function writeAnswer(
  res: HttpResponse,
  answer: WholeAnswer,
  head: { method: string; keepAlive: boolean },
): boolean {
  const { body } = answer;
  let taken = true;
  res.cork(() => {
    writeHead(res, answer);
    // HEAD is told the length only: a body would be taken for the next answer.
    if (head.method === 'HEAD') res.endWithoutBody(Buffer.byteLength(body), !head.keepAlive);
    // Only `end` can close the connection, and it leaves the rest to uWebSockets.js and its own 10 s.
    else if (!head.keepAlive) res.end(body, true);
    else [, taken] = res.tryEnd(body, Buffer.byteLength(body));
  });
  return taken;
}

/** Within a cork. */
export function writeHead(res: HttpResponse, { status, headers = {} }: Omit<HttpAnswer, 'body'>): void {
  res.writeStatus(`${status} ${STATUS_CODES[status] ?? 'Unknown'}`);
  if (headers['content-type'] === undefined) res.writeHeader('content-type', 'application/json');
  for (const [name, value] of Object.entries(headers)) res.writeHeader(name, value);
}
