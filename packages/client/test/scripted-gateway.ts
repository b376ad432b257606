import type { Connected, Refused, WebSocketClass } from '../src/index.js';

type Handler = (event: never) => void;

interface SentRequest {
  readonly rid: number;
  readonly command: string;
  readonly options: Readonly<Record<string, unknown>>;
}

/** The other end of one attempt, in the test's hand. */
export class ScriptedSocket {
  readonly url: URL;
  readonly protocols: readonly string[];
  readonly requests: SentRequest[] = [];
  /** What the client closed it with. */
  closedWith: readonly [number | undefined, string | undefined] | null = null;
  readonly #handlers = new Map<string, Handler>();

  constructor(url: string, protocols: readonly string[]) {
    this.url = new URL(url);
    this.protocols = protocols;
  }

  addEventListener(type: string, handler: Handler): void {
    this.#handlers.set(type, handler);
  }

  send(text: string): void {
    this.requests.push(JSON.parse(text) as SentRequest);
  }

  close(code?: number, reason?: string): void {
    this.closedWith = [code, reason];
  }

  get recover(): string | null {
    return this.url.searchParams.get('recover');
  }

  get lastRequest(): SentRequest {
    return this.requests.at(-1)!;
  }

  /** A frame, or a text that is none. */
  say(frame: object | string): void {
    this.#tell('message', { data: typeof frame === 'string' ? frame : JSON.stringify(frame) });
  }

  /** Spreads those who lose it over no more than the first step of the backoff. */
  accept(payload: Partial<Connected> = {}): void {
    const own = { connection: 'c', node: 'n', user: 'ann', heartbeat_ms: 25_000, reconnect_spread_ms: 0 };
    const whole = { ...own, topics: [], ...payload };
    this.say({ rid: -1, event: 'connected', status: 'ok', payload: whole });
  }

  push(topic: string, payload: unknown, position: object = {}): void {
    this.say({ rid: -1, event: topic, status: 'update', topic, payload, ...position });
  }

  /** As the gateway does it with `wsg.v1`: a frame, and a close that says the code. */
  refuse(payload: Refused): void {
    const { code, http, reason = code } = payload;
    const passing = http === 429 || http >= 500;
    const byStatus = http - 400 + (passing ? 4100 : 4600);
    this.say({ rid: -1, event: 'refused', status: 'error', payload });
    if (code === 'user_blocked') this.drop(4500, reason);
    else this.drop(code === 'token_expired' ? 4010 : byStatus, code);
  }

  answer(payload: unknown, status = 'ok', request = this.lastRequest): void {
    this.say({ rid: request.rid, event: request.command, status, payload });
  }

  drop(code = 1006, reason = ''): void {
    this.#tell('close', { code, reason });
  }

  #tell(type: string, event: object): void {
    this.#handlers.get(type)?.(event as never);
  }
}

/** Each attempt to connect becomes a socket that the test plays. */
export class ScriptedGateway {
  readonly sockets: ScriptedSocket[] = [];
  readonly WebSocket: WebSocketClass;
  /** Whether plain HTTP gets through. */
  reachable = false;

  constructor() {
    const { sockets } = this;
    this.WebSocket = class extends ScriptedSocket {
      constructor(url: string, protocols: readonly string[]) {
        super(url, protocols);
        sockets.push(this);
      }
    };
  }

  fetch(): Promise<Response> {
    return this.reachable ? Promise.resolve(new Response('ok')) : Promise.reject(new TypeError('no route'));
  }

  get last(): ScriptedSocket {
    return this.sockets.at(-1)!;
  }
}

/** A row of `connected` for one topic of user ann. */
export function row(topic: string, offset: number, more: object = {}): Connected['topics'][number] {
  return { topic, stream: `${topic}/u/ann`, epoch: 'e1', offset, ...more };
}

export function at(offset: number, epoch = 'e1', stream = 'a/u/ann'): object {
  return { stream, epoch, offset };
}
