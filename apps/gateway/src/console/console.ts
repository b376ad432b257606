import type { HttpAnswer, HttpServer } from '@ws-gateway/core';
import { operatorsOf } from '../admin/operators.js';
import type { Config } from '../config/config.js';
import { version } from '../node/node-name.js';
import { consoleFiles, type PageFile } from './console-files.js';

/**
 * Policy of the page: everything comes from here, nothing from elsewhere, and no text can become code, neither as a
 * script in the page nor made from a string.
 */
const CONTENT_SECURITY_POLICY = (connectTo: string): string =>
  [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    `connect-src ${connectTo}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ');

const HEADERS = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  // A new version should be seen at once, and the files are few.
  'cache-control': 'no-cache',
};

/**
 * Serves the operator's page at `/`. It has no rights of its own: it is one more client of the socket and the admin
 * API.
 */
export function addConsole(server: HttpServer, config: Config, node: string): void {
  const files = consoleFiles();
  // On a port of its own the page has to reach the sockets on the other one.
  const policy = CONTENT_SECURITY_POLICY(config.ops.port === 0 ? "'self'" : "'self' ws: wss:");
  const found = ({ contentType, body }: PageFile): HttpAnswer => ({
    status: 200,
    headers: { ...HEADERS, 'content-security-policy': policy, 'content-type': contentType },
    body,
  });
  const index = files.get('/console/index.html');
  if (index === undefined) throw new Error('the page of the console is missing');
  const settings = {
    contentType: 'application/json',
    body: Buffer.from(JSON.stringify(consoleSettings(config, node))),
  };
  server.route('GET', '/', () => found(index));
  server.route('GET', '/console/settings.json', () => found(settings));
  const file = ({ path }: { path: string }): HttpAnswer => {
    const page = files.get(path);
    return page === undefined ? notFound : found(page);
  };
  server.route('GET', '/console/:file', file);
  server.route('GET', '/console/client/:file', file);
}

const notFound: HttpAnswer = {
  status: 404,
  body: JSON.stringify({ error: { code: 'unknown_endpoint', message: 'the console has no such file' } }),
};

/**
 * Lists what the page has to know of the node. Anybody can read it, so it holds nothing that clients are not told
 * anyway.
 */
function consoleSettings(config: Config, node: string): object {
  const { role, metrics, admin, topics, ops, server } = config;
  return {
    node,
    version,
    role,
    topics: [...topics.values()].filter(({ clientVisible }) => clientVisible).map(({ name }) => name),
    metrics: metrics.enabled ? { path: metrics.path, namespace: metrics.namespace } : null,
    admin: operatorsOf(admin).length > 0,
    sockets: ops.port === 0 ? null : { port: server.port, tls: server.tls !== null },
  };
}
