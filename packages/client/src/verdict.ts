import { CODE_ABNORMAL, CODE_NORMAL, type ConnectionEnd } from './gateway-connection.js';
import { remedyOf, type Remedy } from './refusal.js';

export interface Verdict {
  readonly remedy: Remedy;
  /** This node is on its way out, or cannot be reached. */
  readonly nextUrl: boolean;
  /** Many clients may have lost the same node just now. */
  readonly crowd: boolean;
  /** The gateway did not say why: the network, the token, a position or a proxy that cuts WebSockets. */
  readonly unexplained: boolean;
}

const CODE_TOKEN_EXPIRED = 4010;
/** drain; going away, service restart, try again later. */
const LEAVING_CODES: readonly number[] = [4000, 1001, 1012, 1013];

/** Decides what to do after a connection or an attempt to make one has ended. */
export function judge({ code, connected, refused }: ConnectionEnd): Verdict {
  const leaving = LEAVING_CODES.includes(code);
  const explained = refused !== null && refused.code !== '';
  const remedy = explained ? remedyOf(refused) : remedyOfClose(code);
  return {
    remedy,
    nextUrl: explained ? remedy === 'later' : !connected || leaving,
    crowd: connected && (leaving || code === CODE_ABNORMAL),
    unexplained: !connected && !explained,
  };
}

/** 4000-4499 mean "reconnect", 4500-4999 "do not". Below, only a normal close is meant to be the end. */
function remedyOfClose(code: number): Remedy {
  if (code === CODE_NORMAL || (code >= 4500 && code <= 4999)) return 'stop';
  return code === CODE_TOKEN_EXPIRED ? 'token' : 'later';
}
