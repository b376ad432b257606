import { EngineError, type HttpAnswer, type HttpServer } from '@ws-gateway/core';
import { AdminError, adminStatuses } from './admin-error.js';
import { JsonText, type AdminDeps, type AdminRoute } from './route-context.js';
import { adminRoutes } from './admin-routes.js';
import type { Operator } from './operators.js';
import { TokenGuard } from './token-guard.js';

const RETRY_AFTER_SECONDS = 2;

/** Serves the admin API. Its paths are there without a token, too, and answer 404: a reload may bring one. */
export function addAdminRoutes(server: HttpServer, deps: AdminDeps, operators: () => readonly Operator[]): void {
  const guard = new TokenGuard(deps, operators);
  for (const route of adminRoutes) {
    server.route(route.method, route.path, async (request) => {
      try {
        const { actor } = await guard.requireOperator(request);
        // Handlers log what they change; who it was is in each of their lines.
        const logger = deps.logger.child({ actor, address: deps.clientAddress(request) });
        return json(route.status ?? 200, await route.handle({ ...deps, logger }, request));
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
  const answer = json(status, { error: { ...details, code, message } });
  if (status === 401) return { ...answer, headers: { ...answer.headers, 'www-authenticate': 'Bearer' } };
  if (status === 503) return { ...answer, headers: { ...answer.headers, 'retry-after': `${RETRY_AFTER_SECONDS}` } };
  return answer;
}

function json(status: number, value: object): HttpAnswer {
  const body = value instanceof JsonText ? value.text : JSON.stringify(value);
  return { status, headers: { 'content-type': 'application/json' }, body };
}
