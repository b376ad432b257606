import { isObject } from '@ws-gateway/core';
import { secretText, type EnvironmentValue } from './language/environment.js';
import type { Finding } from './language/finding.js';
import { jsonFromText, listFromText, port } from './language/formats.js';
import { valueAt } from './language/tree.js';

/** Variables by the names of the systems that the gateway replaces. WSGATEWAY_… wins over them. */
export const plainAliases: readonly {
  readonly variable: string;
  readonly path: string;
  readonly parse?: (text: string) => unknown;
  /** True: the variable with `_FILE` behind its name may name a file that holds the value. */
  readonly secret?: true;
}[] = [
  { variable: 'HTTP_PORT', path: 'server.port', parse: port.fromText },
  { variable: 'GRPC_PORT', path: 'grpc.port', parse: port.fromText },
  { variable: 'JWT_SECRET', path: 'auth.secret', secret: true },
  { variable: 'JWT_ISSUER', path: 'auth.issuer' },
  { variable: 'ENV_TYPE', path: 'logger.environment' },
  { variable: 'HOST_ENV', path: 'logger.environment' },
  { variable: 'LOG_LEVEL', path: 'logger.level' },
  { variable: 'LOKI_ENDPOINT_URL', path: 'logger.loki.url' },
  { variable: 'LOKI_LABELS', path: 'logger.loki.labels', parse: jsonFromText },
  { variable: 'KAFKA_BROKERS', path: 'kafka.bootstrapServers', parse: listFromText },
];

/** Variables that need more than a copy, and what they do, for the documentation. */
export const composedAliases: readonly { readonly variable: string; readonly effect: string }[] = [
  { variable: 'TOKEN_KEY', effect: 'becomes the first of `auth.queryParams`' },
  { variable: 'WEBSOCKET_HUBS', effect: '`hubs`: their names, separated by commas' },
  {
    variable: 'GRPC_SERVER_PORTS',
    effect: '`hubs`: their gRPC ports, separated by commas; hubs beyond them get the numbers that follow the last',
  },
  {
    variable: 'REDIS_URL',
    effect:
      '`redis.addr`, `.username`, `.password`, `.db` and `.tls`, from redis:// or rediss://; or `REDIS_URL_FILE`, a file with it',
  },
];

const HUB_PORT_BASE = 50_051;

export function readAliases(
  env: NodeJS.ProcessEnv,
  written: unknown,
): { values: EnvironmentValue[]; findings: Finding[] } {
  const values: EnvironmentValue[] = [];
  const findings: Finding[] = [];
  for (const { variable, path, parse, secret } of plainAliases) {
    const text = secret === true ? secretText(env, variable, findings) : (env[variable] ?? '');
    if (text === '') continue;
    values.push({
      path: path.split('.'),
      value: parse === undefined ? text : parse(text),
      source: `environment ${variable}`,
    });
  }
  if (env['TOKEN_KEY']) values.push(tokenKey(env['TOKEN_KEY'], written));
  const redis = secretText(env, 'REDIS_URL', findings);
  if (redis !== '') redisUrl(redis, values, findings);
  hubs(env, written, { values, findings });
  return { values, findings };
}

function tokenKey(first: string, written: unknown): EnvironmentValue {
  const known = valueAt(written, ['auth', 'queryParams']);
  const others = Array.isArray(known) ? (known as unknown[]) : ['token', 't'];
  const value = [first, ...others.filter((name) => name !== first)];
  return { path: ['auth', 'queryParams'], value, source: 'environment TOKEN_KEY' };
}

function redisUrl(text: string, values: EnvironmentValue[], findings: Finding[]): void {
  const source = 'environment REDIS_URL';
  const url = URL.parse(text);
  const db = url?.pathname.replace(/^\//, '') ?? '';
  if (url === null || !/^rediss?:$/.test(url.protocol) || url.hostname === '' || !/^\d*$/.test(db)) {
    findings.push({ path: 'REDIS_URL', message: 'must be redis://[user:password@]host[:port][/db], or rediss://' });
    return;
  }
  const give = (key: string, value: unknown): void => void values.push({ path: ['redis', key], value, source });
  give('addr', `${url.hostname}:${url.port || '6379'}`);
  if (url.username !== '') give('username', decodeURIComponent(url.username));
  if (url.password !== '') give('password', decodeURIComponent(url.password));
  if (db !== '') give('db', Number(db));
  if (url.protocol === 'rediss:') give('tls', true);
}

/**
 * Reads hubs and their ports. One port alone is where counting starts: compose files of the system it replaces give
 * just that.
 */
function hubs(
  env: NodeJS.ProcessEnv,
  written: unknown,
  out: { values: EnvironmentValue[]; findings: Finding[] },
): void {
  const names = env['WEBSOCKET_HUBS'];
  const ports = env['GRPC_SERVER_PORTS'];
  if (!names && !ports) return;
  const entries = names ? splitted(names).map((name) => ({ name })) : writtenHubs(written);
  const given = splitted(ports ?? '').map((text) => port.fromText(text));
  if (given.length > entries.length) {
    const message = `${given.length} ports for ${entries.length} hubs`;
    out.findings.push({ path: 'hubs', message, source: 'environment GRPC_SERVER_PORTS' });
  }
  let next: unknown = HUB_PORT_BASE;
  const value = entries.map((entry, index) => {
    const own = given[index] ?? (ports || !('grpcPort' in entry) ? next : entry.grpcPort);
    next = typeof own === 'number' ? own + 1 : own;
    return { ...entry, grpcPort: own };
  });
  out.values.push({ path: ['hubs'], value, source: `environment ${names ? 'WEBSOCKET_HUBS' : 'GRPC_SERVER_PORTS'}` });
}

function writtenHubs(written: unknown): { name?: unknown; grpcPort?: unknown }[] {
  const hubsWritten = valueAt(written, ['hubs']);
  return Array.isArray(hubsWritten) ? hubsWritten.filter(isObject) : [{ name: 'main' }];
}

function splitted(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}
