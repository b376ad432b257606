import { isRecord } from './frames.js';
import type { RefusalResponse } from './socket.js';

/** Why the gateway did not let us in. Member names are those of the wire. */
export interface Refused {
  /** The gateway's code: branch on it. */
  readonly code: string;
  /** For people. */
  readonly message: string;
  /** HTTP status of the refusal, also where it came by a frame. */
  readonly http: number;
  /** `user_blocked`: why, and until when (RFC 3339). */
  readonly reason?: string;
  readonly expires_at?: string;
  /** Not before so many ms. */
  readonly after_ms?: number;
}

/** An answer to a handshake that was no connection. */
export interface Refusal {
  /** null: not in the gateway's own form; somebody on the way answered. */
  readonly refused: Refused | null;
  readonly status: number;
  readonly message: string;
  readonly retryAfterMs: number;
}

/** What a refusal asks of the client. */
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
const REMEDIES: Readonly<Record<string, Remedy>> = {
  bad_request: 'positions',
  unknown_topic: 'stop',
  token_missing: 'token',
  token_invalid: 'token',
  token_expired: 'token',
  user_blocked: 'stop',
  topic_forbidden: 'stop',
  room_forbidden: 'stop',
  not_allowed: 'stop',
  origin_forbidden: 'stop',
  unknown_endpoint: 'stop',
  unknown_hub: 'stop',
  already_connected: 'stop',
  // A proxy that drops `Upgrade` makes the gateway say this.
  upgrade_required: 'later',
  too_many_connections: 'later',
  rate_limited: 'later',
  draining: 'later',
  unavailable: 'later',
  full: 'later',
  internal: 'later',
};

const BODY_CHARACTERS_MAX = 16_384;
const STATUS_UNAUTHORIZED = 401;
const STATUS_TOO_MANY = 429;
const STATUS_SERVER_ERROR = 500;
const CODE_TOKEN_EXPIRED = 4010;
const CODE_USER_BLOCKED = 4500;
/** Close codes of `wsg.v1` are the HTTP status and one of these. */
const FINAL_CODES = 4200;
const PASSING_CODES = 3700;

/** A code of a later gateway, in a frame that only a gateway writes, is judged by its status. */
export function remedyOf({ code, http }: Refused): Remedy {
  const known = Object.hasOwn(REMEDIES, code) ? REMEDIES[code] : undefined;
  if (known !== undefined) return known;
  if (http === STATUS_UNAUTHORIZED) return 'token';
  return http === STATUS_TOO_MANY || http >= STATUS_SERVER_ERROR ? 'later' : 'stop';
}

/** Payload of a `refused` frame. */
export function refusalOfFrame(payload: Readonly<Record<string, unknown>>): Refusal {
  const refused = refusedOf(payload, Number(payload['http']) || STATUS_SERVER_ERROR);
  return { refused, status: refused.http, message: refused.message, retryAfterMs: refused.after_ms ?? 0 };
}

/** The close that comes with a `refused` frame. */
export function closeOf({ refused }: Refusal): { code: number; reason: string } {
  const { code = '', http = 0, reason } = refused ?? {};
  if (code === 'token_expired') return { code: CODE_TOKEN_EXPIRED, reason: code };
  if (code === 'user_blocked') return { code: CODE_USER_BLOCKED, reason: reason ?? code };
  const passing = refused !== null && remedyOf(refused) === 'later';
  return { code: http + (passing ? PASSING_CODES : FINAL_CODES), reason: code };
}

/** A close of `wsg.v1` says its refusal also where the frame before it was not seen. null: another close. */
export function refusalOfClose(code: number, reason: string): Refusal | null {
  const final = code >= 4600 && code <= 4699;
  if (!final && code !== 4129 && code !== 4203) return null;
  return refusalOfFrame({ code: reason, http: code - (final ? FINAL_CODES : PASSING_CODES) });
}

/** Calls `done` once, when the body has ended, failed, or grown too long to be the gateway's. */
export function readRefusal(response: RefusalResponse, done: (refusal: Refusal) => void): void {
  let body = '';
  let finished = false;
  const finish = (): void => {
    if (finished) return;
    finished = true;
    const { 'retry-after': retryAfter } = response.headers;
    done(refusalOfAnswer(response.statusCode ?? 0, body, typeof retryAfter === 'string' ? retryAfter : null));
  };
  response.on('data', (chunk) => {
    body += chunk.toString();
    if (body.length > BODY_CHARACTERS_MAX) finish();
  });
  response.on('end', finish);
  response.on('error', finish);
  response.on('close', finish);
}

/** An HTTP answer; what is not the gateway's own is known by its status only. */
export function refusalOfAnswer(status: number, body: string, retryAfter: string | null): Refusal {
  const waitMs = retryAfterMs(retryAfter);
  const error = errorOf(body);
  if (error === null) {
    return { refused: null, status, message: `refused with HTTP ${status}`, retryAfterMs: waitMs };
  }
  const refused = refusedOf({ ...error, ...(waitMs > 0 && { after_ms: waitMs }) }, status);
  return { refused, status, message: refused.message, retryAfterMs: waitMs };
}

/** Seconds or a date (RFC 9110 10.2.3); 0 when absent or unreadable. */
export function retryAfterMs(header: string | null): number {
  if (header === null || header.trim() === '') return 0;
  const ms = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : 0;
}

function errorOf(body: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(body);
    const error = isRecord(value) ? value['error'] : null;
    return isRecord(error) && Object.hasOwn(REMEDIES, String(error['code'])) ? error : null;
  } catch {
    // A page, not an answer of the gateway.
    return null;
  }
}

function refusedOf(error: Readonly<Record<string, unknown>>, http: number): Refused {
  const { code, message, reason, expires_at: expiresAt, after_ms: afterMs } = error;
  const name = typeof code === 'string' ? code : '';
  return {
    code: name,
    message: typeof message === 'string' ? message : name,
    http,
    ...(typeof reason === 'string' && { reason }),
    ...(typeof expiresAt === 'string' && { expires_at: expiresAt }),
    ...(typeof afterMs === 'number' && afterMs >= 0 && { after_ms: afterMs }),
  };
}
