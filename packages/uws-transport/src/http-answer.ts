import { STATUS_CODES } from 'node:http';
import {
  handshakeRefusals,
  refusalAnswer as plainRefusalAnswer,
  type HttpAnswer,
  type Refusal,
} from '@ws-gateway/core';
import type { HttpResponse } from 'uWebSockets.js';

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

function refusal(code: keyof typeof transportStatuses, message: string): Refusal {
  return { status: transportStatuses[code], code, message };
}

/** Refusals of handshakes. */
export const refusals = {
  ...handshakeRefusals,
  malformed: (message: string) => refusal('bad_request', message),
  unsupportedVersion: refusal('upgrade_required', 'Sec-WebSocket-Version must be 13'),
  full: { status: 503, code: 'full', message: 'this process has no file descriptor left', retryAfterSeconds: 10 },
};

const UPGRADE = { upgrade: 'websocket', connection: 'Upgrade' } as const;

export function refusalAnswer(refusal: Refusal): WholeAnswer {
  const answer = plainRefusalAnswer(refusal);
  if (refusal.code !== 'upgrade_required') return answer;
  // RFC 9110 15.5.22, and RFC 6455 4.4: which version is spoken here.
  return { ...answer, headers: { ...answer.headers, ...UPGRADE, 'sec-websocket-version': '13' } };
}

function refused(code: keyof typeof transportStatuses, message: string, headers = {}): WholeAnswer {
  const answer = refusalAnswer(refusal(code, message));
  return { ...answer, headers: { ...answer.headers, ...headers } };
}

/** Answers to plain requests. */
export const answers = {
  badRequest: (message: string) => refused('bad_request', message),
  unknownEndpoint: () => refused('unknown_endpoint', 'no such endpoint'),
  bodyTooLarge: (bytesMax: number) => refused('body_too_large', `the body may have ${bytesMax} bytes`),
  internal: () => refused('internal', 'internal error'),
  methodNotAllowed: (allow: readonly string[]) =>
    refused('method_not_allowed', `use ${allow.join(' or ')}`, { allow: allow.join(', ') }),
  /** Where a WebSocket is spoken. */
  upgradeRequired: () => refused('upgrade_required', 'this endpoint speaks WebSocket'),
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
