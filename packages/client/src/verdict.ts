import type { ConnectionEnd } from './connection.js';

export type Verdict =
  | { readonly kind: 'stop' }
  | {
      readonly kind: 'retry';
      /** Added to the backoff's delay: what the gateway asked for. */
      readonly leastMs: number;
      /** The token is what was wrong. */
      readonly newToken: boolean;
      /** This node is on its way out, or can't be reached. */
      readonly nextUrl: boolean;
    };

const STATUS_UNAUTHORIZED = 401;
const CODE_NORMAL = 1000;
const CODE_TOKEN_EXPIRED = 4010;
/** drain; going away, service restart, try again later. */
const LEAVING_CODES: ReadonlySet<number> = new Set([4000, 1001, 1012, 1013]);
/** Request timeout, too early, too many requests: the same handshake may succeed later. */
const PASSING_STATUSES: ReadonlySet<number> = new Set([408, 425, 429]);

/** What to do after a connection or an attempt to make one has ended. */
export function judge(end: ConnectionEnd): Verdict {
  return end.refusal === null ? judgeClose(end) : judgeRefusal(end.refusal);
}

/** 4000-4499 mean "reconnect", 4500-4999 "do not". Below, only a normal close is meant to be the end. */
function judgeClose({ code, connected }: ConnectionEnd): Verdict {
  if (code === CODE_NORMAL || (code >= 4500 && code <= 4999)) return { kind: 'stop' };
  return {
    kind: 'retry',
    leastMs: 0,
    newToken: code === CODE_TOKEN_EXPIRED,
    nextUrl: !connected || LEAVING_CODES.has(code),
  };
}

function judgeRefusal({ status, retryAfterMs }: { status: number; retryAfterMs: number }): Verdict {
  const retry = { kind: 'retry', leastMs: retryAfterMs, newToken: false, nextUrl: true } as const;
  if (status === STATUS_UNAUTHORIZED) return { ...retry, newToken: true, nextUrl: false };
  if (status >= 400 && status < 500 && !PASSING_STATUSES.has(status)) return { kind: 'stop' };
  return retry;
}
