import type { RefusalResponse } from './socket.js';

/** Why we were not let in. Member names are those of the wire. */
export interface Refused {
  /** The gateway's code: branch on it. '': it was not the gateway that answered. */
  readonly code: string;
  /** Message for people. */
  readonly message: string;
  /** HTTP status of the refusal, also where it came by a frame. */
  readonly http: number;
  /** `user_blocked`: why, and until when (RFC 3339). */
  readonly reason?: string;
  readonly expires_at?: string;
  /** Time in ms before which the client must not come back. */
  readonly after_ms?: number;
}

/** Remedy that a refusal asks of the client. */
export type Remedy =
  | 'stop'
  /** Another token may do. */
  | 'token'
  /** The request could not be read: a position that was saved long ago may be why. */
  | 'positions'
  /** The same may succeed later. */
  | 'later';

/**
 * The codes the gateway refuses handshakes with. Over HTTP no other is believed: a proxy, a login page or an API gateway
 * on the way answers what it likes, and comes and goes with roll-outs.
 */
const CODES =
  /^((unknown|token|user|topic|key|room|origin|too_many)_[a-z]+|bad_request|not_allowed|already_connected|upgrade_required|draining|unavailable|full)$/;

const BODY_CHARACTERS_MAX = 16_384;
const STATUS_UNAUTHORIZED = 401;
const STATUS_SERVER_ERROR = 500;
/** The gateway says 426 to a proxy that drops `Upgrade`; 429: too many. */
const PASSING_STATUSES = [426, 429];

export function remedyOf({ code, http }: Refused): Remedy {
  if (code === 'bad_request') return 'positions';
  if (http === STATUS_UNAUTHORIZED) return 'token';
  return http >= STATUS_SERVER_ERROR || PASSING_STATUSES.includes(http) ? 'later' : 'stop';
}

/** Calls `done` once, when the body has ended, failed, or grown too long to be the gateway's. */
export function readRefusal(response: RefusalResponse, done: (refused: Refused) => void): void {
  let body = '';
  let finished = false;
  const finish = (): void => {
    if (finished) return;
    finished = true;
    done(refusedByAnswer(response.statusCode ?? 0, body, response.headers['retry-after']));
  };
  response.on('data', (chunk) => {
    body += chunk.toString();
    if (body.length > BODY_CHARACTERS_MAX) finish();
  });
  for (const name of ['end', 'error', 'close'] as const) response.on(name, finish);
}

/** Reads the refusal of an HTTP answer; one that is not the gateway's own is known by its status only. */
export function refusedByAnswer(http: number, body: string, retryAfter: unknown): Refused {
  const wait = Number(retryAfter) > 0 && { after_ms: Number(retryAfter) * 1000 };
  try {
    const { error } = JSON.parse(body) as { error: Refused };
    if (CODES.test(error.code)) return { ...error, http, ...wait };
  } catch {
    // A page, not an answer of the gateway.
  }
  return { code: '', message: `refused with HTTP ${http}`, http, ...wait };
}
