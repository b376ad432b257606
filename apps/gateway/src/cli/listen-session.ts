import type { IncomingMessage } from 'node:http';
import WebSocket from 'ws';
import { reasonOf } from './exit.js';

export type SessionEnd =
  /** The server closed normally. */
  | { readonly kind: 'done' }
  /** Trying again would end the same way. */
  | { readonly kind: 'refused'; readonly reason: string }
  | {
      readonly kind: 'lost';
      readonly reason: string;
      /** It had been open this time. */
      readonly connected: boolean;
      /** What the server asked for; null: as the client likes. */
      readonly afterMs: number | null;
    };

interface Position {
  readonly epoch: string;
  readonly offset: number;
}

const HANDSHAKE_TIMEOUT_MS = 10_000;
/** The server pings a silent client once in a heartbeat: after so many without one it is gone. */
const HEARTBEATS_MISSED_MAX = 3;
const REFUSAL_BYTES_MAX = 64 * 1024;

/**
 * One client over several connections: it remembers where it is in each stream, so that each connection goes on where
 * the one before ended.
 */
export class ListenSession {
  everConnected = false;
  readonly #url: URL;
  readonly #token: string | null;
  readonly #out: { frame(text: string): void; note(text: string): void };
  readonly #positions = new Map<string, Position>();
  #reconnectAfterMs: number | null = null;
  #heartbeatMs = 0;

  constructor(url: URL, token: string | null, out: { frame(text: string): void; note(text: string): void }) {
    this.#url = url;
    this.#token = token;
    this.#out = out;
  }

  /** One connection, from the handshake to its end. */
  run(): Promise<SessionEnd> {
    this.#reconnectAfterMs = null;
    return new Promise((resolve) => {
      // In a header the token does not end up in the logs of proxies on the way.
      const headers = this.#token === null ? {} : { authorization: `Bearer ${this.#token}` };
      const socket = new WebSocket(this.#resuming(), { headers, handshakeTimeout: HANDSHAKE_TIMEOUT_MS });
      let connected = false;
      let problem = '';
      socket.on('open', () => {
        connected = true;
        this.everConnected = true;
      });
      const watchdog = new Watchdog(() => socket.terminate());
      socket.on('message', (data) => {
        this.#received((data as Buffer).toString());
        watchdog.fed(this.#heartbeatMs * HEARTBEATS_MISSED_MAX);
      });
      socket.on('ping', () => watchdog.fed(this.#heartbeatMs * HEARTBEATS_MISSED_MAX));
      socket.on('error', (error) => (problem = reasonOf(error)));
      socket.on('unexpected-response', (request, response) => {
        refusalOf(response).then(
          ({ status, code, text, afterMs }) => {
            request.destroy();
            const passing = this.everConnected && (status === 503 || status === 429);
            const reason = `refused: ${code}${text === '' ? '' : `: ${text}`}`;
            resolve(passing ? { kind: 'lost', reason, connected, afterMs } : { kind: 'refused', reason });
          },
          (error: unknown) => resolve({ kind: 'lost', reason: reasonOf(error), connected, afterMs: null }),
        );
      });
      socket.on('close', (code, reason) => {
        watchdog.stop();
        resolve(this.#ended({ code, reason: reason.toString(), connected, problem }));
      });
    });
  }

  #ended(close: { code: number; reason: string; connected: boolean; problem: string }): SessionEnd {
    const { code, connected, problem } = close;
    if (code === 1000) return { kind: 'done' };
    const reason = code === 1006 ? problem || 'connection lost' : `closed: ${code} ${close.reason}`.trimEnd();
    const again = (code >= 4000 && code <= 4499) || [1001, 1006, 1011, 1012, 1013].includes(code);
    if (!again) return { kind: 'refused', reason };
    return { kind: 'lost', reason, connected, afterMs: this.#reconnectAfterMs };
  }

  #resuming(): URL {
    const url = new URL(this.#url);
    const positions = [...this.#positions].map(([stream, { epoch, offset }]) => `${stream}:${epoch}:${offset}`);
    if (positions.length > 0) url.searchParams.set('recover', positions.join(','));
    return url;
  }

  #received(text: string): void {
    // A payload may have been written over several lines; between JSON's tokens a line break means no more than a space.
    this.#out.frame(text.replace(/\s*[\r\n]+\s*/g, ' '));
    let frame: unknown;
    try {
      frame = JSON.parse(text);
    } catch {
      // Endpoints of backends carry any text. It has been printed, and positions are not in it.
      return;
    }
    if (isRecord(frame)) this.#remember(frame);
  }

  #remember(frame: Readonly<Record<string, unknown>>): void {
    const { event, payload } = frame;
    this.#note(frame);
    if (!isRecord(payload) || frame['rid'] !== -1) return;
    if (event === 'reconnect' && typeof payload['after_ms'] === 'number') this.#reconnectAfterMs = payload['after_ms'];
    if (event === 'connected' && typeof payload['heartbeat_ms'] === 'number')
      this.#heartbeatMs = payload['heartbeat_ms'];
    if (event !== 'connected' || !Array.isArray(payload['topics'])) return;
    // What is no longer subscribed must not be asked for again: that would be refused.
    this.#positions.clear();
    for (const topic of payload['topics'] as unknown[]) {
      if (!isRecord(topic)) continue;
      this.#note(beforeReplay(topic));
      if (isRecord(topic['public'])) this.#note(beforeReplay(topic['public']));
    }
  }

  #note({ stream, epoch, offset }: Readonly<Record<string, unknown>>): void {
    if (typeof stream !== 'string' || typeof epoch !== 'string' || typeof offset !== 'number') return;
    this.#positions.set(stream, { epoch, offset });
  }
}

/** A network that swallows everything closes no socket: somebody has to notice the silence. */
class Watchdog {
  readonly #bite: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(bite: () => void) {
    this.#bite = bite;
  }

  /** 0: no end. */
  fed(forMs: number): void {
    clearTimeout(this.#timer);
    if (forMs > 0) this.#timer = setTimeout(this.#bite, forMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}

/** `connected` names the top, and what is replayed up to it follows: until it has come we are not there. */
function beforeReplay(stream: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { offset, replayed } = stream;
  return typeof offset === 'number' && typeof replayed === 'number' ? { ...stream, offset: offset - replayed } : stream;
}

async function refusalOf(
  response: IncomingMessage,
): Promise<{ status: number; code: string; text: string; afterMs: number | null }> {
  let body = '';
  for await (const chunk of response) {
    body += String(chunk);
    if (body.length > REFUSAL_BYTES_MAX) break;
  }
  const status = response.statusCode ?? 0;
  const retryAfter = Number(response.headers['retry-after']);
  const afterMs = Number.isFinite(retryAfter) && retryAfter > 0 ? retryAfter * 1000 * (1 + Math.random()) : null;
  const error = errorOf(body);
  return { status, code: error?.code ?? `HTTP ${status}`, text: error?.message ?? '', afterMs };
}

function errorOf(body: string): { code: string; message: string } | null {
  try {
    const { error } = JSON.parse(body) as { error?: { code?: unknown; message?: unknown } };
    if (typeof error?.code !== 'string') return null;
    return { code: error.code, message: typeof error.message === 'string' ? error.message : '' };
  } catch {
    // Not ours: a proxy's page. The status says enough.
    return null;
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
