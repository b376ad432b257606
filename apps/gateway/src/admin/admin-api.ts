import { EngineError, type HttpAnswer, type HttpServer } from '@ws-gateway/core';
import { AdminError, adminStatuses } from './admin-error.js';
import { EventStream, JsonText, type AdminDeps, type AdminRoute } from './route-context.js';
import { adminRoutes } from './admin-routes.js';
import type { Operator } from './operators.js';
import { TokenGuard } from './token-guard.js';

const RETRY_AFTER_SECONDS = 2;
const EVENT_STREAM_HEADERS = { 'content-type': 'text/event-stream', 'cache-control': 'no-store' };

/** Serves the admin API. Its paths are there without a token, too, and answer 404: a reload may bring one. */
export function addAdminRoutes(server: HttpServer, deps: AdminDeps, operators: () => readonly Operator[]): void {
  const guard = new TokenGuard(deps, operators);
  for (const route of adminRoutes) {
    server.route(route.method, route.path, async (request) => {
      try {
        const { actor } = await guard.requireOperator(request);
        // Handlers log what they change; who it was is in each of their lines.
        const logger = deps.logger.child({ actor, address: deps.clientAddress(request) });
        return answer(route.status ?? 200, await route.handle({ ...deps, logger }, request));
      } catch (error) {
        return refused(deps, route, error);
      }
    });
  }
}

function refused(deps: AdminDeps, route: AdminRoute, error: unknown): HttpAnswer {
  if (error instanceof AdminError) return failed(error);
  // What is none of ours is the transport's: answered already, or a defect.
  if (!(error instanceof EngineError)) throw error;
  deps.logger.warn('admin request could not be answered', { method: route.method, path: route.path, error });
  return failed(new AdminError('unavailable', 'the gateway cannot do this right now; try again'));
}

function failed({ code, message, details }: AdminError): HttpAnswer {
  const status = adminStatuses[code];
  const refusal = answer(status, { error: { code, message, ...details } });
  if (status === 401) return { ...refusal, headers: { ...refusal.headers, 'www-authenticate': 'Bearer' } };
  if (status === 503) return { ...refusal, headers: { ...refusal.headers, 'retry-after': `${RETRY_AFTER_SECONDS}` } };
  return refusal;
}

function answer(status: number, value: object): HttpAnswer {
  if (value instanceof EventStream) return { status, headers: EVENT_STREAM_HEADERS, body: value.body };
  const body = value instanceof JsonText ? value.text : JSON.stringify(value);
  return { status, headers: { 'content-type': 'application/json' }, body };
}
