import { isRecord } from './frames.js';
import type { RefusalResponse } from './socket.js';

/** The HTTP answer to a handshake that was refused, where the WebSocket class lets it be seen. */
export interface Refusal {
  readonly status: number;
  /** The gateway's code; '' when somebody else answered. */
  readonly code: string;
  readonly message: string;
  readonly retryAfterMs: number;
}

const BODY_CHARACTERS_MAX = 16_384;

/** Calls `done` once, when the body has ended, failed, or grown too long to be the gateway's. */
export function readRefusal(response: RefusalResponse, done: (refusal: Refusal) => void): void {
  let body = '';
  let finished = false;
  const finish = (): void => {
    if (finished) return;
    finished = true;
    const status = response.statusCode ?? 0;
    done({ status, ...errorOf(body, status), retryAfterMs: retryAfterMs(response.headers['retry-after']) });
  };
  response.on('data', (chunk) => {
    body += chunk.toString();
    if (body.length > BODY_CHARACTERS_MAX) finish();
  });
  response.on('end', finish);
  response.on('error', finish);
  response.on('close', finish);
}

/** Seconds or a date (RFC 9110 10.2.3); 0 when absent or unreadable. */
export function retryAfterMs(header: string | string[] | undefined): number {
  if (typeof header !== 'string' || header.trim() === '') return 0;
  const ms = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : 0;
}

function errorOf(body: string, status: number): { code: string; message: string } {
  try {
    const value: unknown = JSON.parse(body);
    const error = isRecord(value) && isRecord(value['error']) ? value['error'] : {};
    const { code, message } = error;
    if (typeof code === 'string') return { code, message: typeof message === 'string' ? message : code };
  } catch {
    // Not the gateway's own answer but a proxy's page: the status has to do.
    return { code: '', message: `refused with HTTP ${status}` };
  }
  return { code: '', message: `refused with HTTP ${status}` };
}
