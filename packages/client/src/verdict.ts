import { CODE_ABNORMAL, CODE_NORMAL, type ConnectionEnd } from './gateway-connection.js';
import { remedyOf, type Remedy } from './refusal.js';

export interface Verdict {
  readonly remedy: Remedy;
  /** Added to the backoff's delay: what the gateway asked for. */
  readonly leastMs: number;
  /** This node is on its way out, or cannot be reached. */
  readonly nextUrl: boolean;
  /** Many clients may have lost the same node just now. */
  readonly crowd: boolean;
  /** Nobody said why: the network, the token, a position or a proxy that cuts WebSockets. */
  readonly unexplained: boolean;
}

const CODE_TOKEN_EXPIRED = 4010;
/** drain; going away, service restart, try again later. */
const LEAVING_CODES: ReadonlySet<number> = new Set([4000, 1001, 1012, 1013]);

/** What to do after a connection or an attempt to make one has ended. */
export function judge(end: ConnectionEnd): Verdict {
  const { code, connected, refusal } = end;
  const leaving = LEAVING_CODES.has(code);
  const verdict: Verdict = {
    remedy: 'later',
    leastMs: refusal?.retryAfterMs ?? 0,
    nextUrl: !connected || leaving,
    crowd: connected && (leaving || code === CODE_ABNORMAL),
    unexplained: !connected && (refusal === null || refusal.refused === null),
  };
  if (refusal === null) return { ...verdict, remedy: remedyOfClose(code) };
  if (refusal.refused === null) return verdict;
  const remedy = remedyOf(refusal.refused);
  return { ...verdict, remedy, nextUrl: remedy === 'later' };
}

/** 4000-4499 mean "reconnect", 4500-4999 "do not". Below, only a normal close is meant to be the end. */
function remedyOfClose(code: number): Remedy {
  if (code === CODE_NORMAL || (code >= 4500 && code <= 4999)) return 'stop';
  return code === CODE_TOKEN_EXPIRED ? 'token' : 'later';
}
