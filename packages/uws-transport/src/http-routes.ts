import type { HttpAnswer, HttpRequest, Refusal, RouteHandler } from '@ws-gateway/core';
import type { HttpResponse } from 'uWebSockets.js';
import type { DeferredTasks } from './deferred-tasks.js';
import { Exchange, type RequestObserver } from './exchange.js';
import { answers, refusalAnswer } from './http-answer.js';
import { BodyCollector, type RequestHead } from './http-request.js';
import { TransportError } from './transport-error.js';

interface HttpRoutesOptions {
  readonly maxBodyBytes: number;
  readonly writeTimeoutMs: number;
  readonly isEndpoint: (path: string) => boolean;
  readonly unknownEndpoint: ((path: string) => Refusal) | undefined;
  readonly observe: RequestObserver | undefined;
  readonly onError: (error: unknown) => void;
}

interface Route {
  readonly method: string;
  readonly path: string;
  readonly handle: RouteHandler;
}

type Match =
  | { readonly found: true; readonly route: Route; readonly params: Readonly<Record<string, string>> }
  | { readonly found: false; readonly label: string; readonly answer: HttpAnswer };

/** Everything that is not a WebSocket handshake. A dozen routes at most, so they are simply tried one by one. */
export class HttpRoutes {
  readonly #routes: Route[] = [];
  readonly #tasks: DeferredTasks;
  readonly #options: HttpRoutesOptions;

  constructor(tasks: DeferredTasks, options: HttpRoutesOptions) {
    this.#tasks = tasks;
    this.#options = options;
  }

  /** `path` may have parts such as `:user`, each of which stands for one segment. */
  add(method: string, path: string, handle: RouteHandler): void {
    this.#routes.push({ method: method.toUpperCase(), path, handle });
  }

  handle(res: HttpResponse, head: RequestHead): void {
    const { observe, maxBodyBytes, writeTimeoutMs } = this.#options;
    const match = this.#match(head);
    if (!match.found) {
      const refused = new Exchange(res, head, { route: match.label, observe, writeTimeoutMs });
      this.#tasks.add(() => refused.answer(match.answer));
      return;
    }
    // The connection stays open and the rest is thrown away: closed while the client is still sending, it would see a
    // reset instead of the answer.
    const unwanted = new AbortController();
    const body = new BodyCollector(res, maxBodyBytes, () => {
      unwanted.abort();
      this.#tasks.add(() => exchange.answer(answers.bodyTooLarge(maxBodyBytes)));
    });
    const exchange = new Exchange(res, head, {
      route: match.route.path,
      observe,
      writeTimeoutMs,
      onAbort: () => {
        unwanted.abort();
        body.fail(new TransportError('request_aborted', 'the client went away'));
      },
    });
    const { signal } = unwanted;
    const request = { ...head, params: match.params, body: () => body.read(), signal };
    this.#run(match.route, request, exchange).catch(this.#options.onError);
  }

  async #run(route: Route, request: HttpRequest, exchange: Exchange): Promise<void> {
    let answer: HttpAnswer;
    try {
      answer = await route.handle(request);
    } catch (error) {
      if (!isClientsFault(error)) this.#options.onError(error);
      answer = answers.internal();
    }
    this.#tasks.add(() => exchange.answer(answer));
  }

  #match(head: RequestHead): Match {
    const { path } = head;
    if (head.isAmbiguous)
      return { found: false, label: 'unknown', answer: answers.badRequest('more than one Content-Length') };
    // RFC 9110 9.3.2: as GET, without the body (see writeAnswer).
    const method = head.method === 'HEAD' ? 'GET' : head.method;
    const candidates = this.#routes.filter((route) => fits(route.path, path));
    if (candidates.length === 0) return this.#unmatched(method, path);

    const route = candidates.find((candidate) => candidate.method === method);
    const label = candidates[0]!.path;
    if (route === undefined) {
      return { found: false, label, answer: answers.methodNotAllowed(candidates.map((candidate) => candidate.method)) };
    }
    const params = pathParams(route.path, path);
    if (params === null) return { found: false, label, answer: answers.badRequest('malformed percent-encoding') };
    return { found: true, route, params };
  }

  #unmatched(method: string, path: string): Match {
    const { isEndpoint, unknownEndpoint } = this.#options;
    if (!isEndpoint(path)) {
      const answer = unknownEndpoint === undefined ? answers.unknownEndpoint() : refusalAnswer(unknownEndpoint(path));
      return { found: false, label: 'unknown', answer };
    }
    const answer =
      method === 'GET' || method === 'HEAD' ? answers.upgradeRequired() : answers.methodNotAllowed(['GET']);
    return { found: false, label: endpointLabel(path), answer };
  }
}

/** The first segment: `/websocket/<hub>` is one route, however many hubs clients make up. */
export function endpointLabel(path: string): string {
  const end = path.indexOf('/', 1);
  return end === -1 ? path : path.slice(0, end);
}

/** Both are answered already, or need no answer. */
function isClientsFault(error: unknown): boolean {
  return error instanceof TransportError && (error.code === 'body_too_large' || error.code === 'request_aborted');
}

function fits(pattern: string, path: string): boolean {
  if (!pattern.includes('/:')) return pattern === path;
  const parts = path.split('/');
  const expected = pattern.split('/');
  return (
    parts.length === expected.length &&
    expected.every((part, at) => (part.startsWith(':') ? parts[at] !== '' : part === parts[at]))
  );
}

function pathParams(pattern: string, path: string): Readonly<Record<string, string>> | null {
  const params: Record<string, string> = {};
  const parts = path.split('/');
  for (const [at, part] of pattern.split('/').entries()) {
    if (!part.startsWith(':')) continue;
    const value = percentDecoded(parts[at]!);
    if (value === null) return null;
    params[part.slice(1)] = value;
  }
  return params;
}

/** decodeURIComponent has no other way to say "malformed" than to throw. */
function percentDecoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
