import type { HttpAnswer } from './http-server.js';
import type { Refusal } from './transport.js';

/** The answer to a request that is refused: body `{"error":{"code","message",…details}}`. */
export function refusalAnswer(refusal: Refusal): HttpAnswer & { readonly body: string } {
  const { status, code, message, retryAfterSeconds, details } = refusal;
  const headers: Record<string, string> =
    retryAfterSeconds === undefined ? {} : { 'retry-after': `${retryAfterSeconds}` };
  return { status, headers, body: JSON.stringify({ error: { code, message, ...details } }) };
}
