import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { GatewayProcess } from '@ws-gateway/testkit';

export const ADMIN_TOKEN = 'an-admin-token-for-tests';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Readonly<Record<string, unknown>>;
}

interface Operation {
  readonly responses: Readonly<Record<string, object>>;
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

export const document = JSON.parse(readFileSync(new URL('../../openapi.json', import.meta.url), 'utf8')) as Document;

const ajv = new Ajv2020({ strict: false, validateFormats: false });
ajv.addSchema(document, 'openapi');

interface CallOptions {
  /** Body; a text is sent as it is, anything else as JSON. */
  readonly body?: unknown;
  /** Token; null: none is sent. */
  readonly token?: string | null;
}

/** Calls the admin API of a node, and holds every answer against openapi.json. */
export async function call(
  node: GatewayProcess,
  request: `${'GET' | 'POST' | 'DELETE'} /${string}`,
  { body, token = ADMIN_TOKEN }: CallOptions = {},
): Promise<Answer> {
  const [method, path] = request.split(' ') as [string, string];
  const response = await fetch(node.httpUrl + path, {
    method,
    headers: token === null ? {} : { authorization: `Bearer ${token}` },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const answer = {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as Answer['body'],
  };
  hold(method, path, answer);
  return answer;
}

function hold(method: string, path: string, { status, body }: Answer): void {
  const template = templateOf(path.split('?')[0]!);
  const pointer = ['paths', template, method.toLowerCase(), 'responses', String(status)];
  const response = document.paths[template]?.[method.toLowerCase()]?.responses[status];
  if (response === undefined) throw new Error(`openapi.json has no ${method} ${path} with status ${status}`);
  const at = '$ref' in response ? (response.$ref as string) : `#/${pointer.map((part) => escaped(part)).join('/')}`;
  const schema = { $ref: `openapi${at}/content/application~1json/schema` };
  const validate = ajv.compile(schema);
  if (!validate(body)) {
    throw new Error(
      `${method} ${path} ${status} does not answer as openapi.json says: ${ajv.errorsText(validate.errors)}`,
    );
  }
}

function templateOf(path: string): string {
  const parts = path.split('/');
  const exact = Object.keys(document.paths).find((template) => template === path);
  const fits = (template: string): boolean => {
    const expected = template.split('/');
    return expected.length === parts.length && expected.every((part, at) => part.startsWith('{') || part === parts[at]);
  };
  const template = exact ?? Object.keys(document.paths).find(fits);
  if (template === undefined) throw new Error(`openapi.json does not know ${path}`);
  return template;
}

/** Escapes a name as a part of a JSON pointer in a URI fragment. */
function escaped(part: string): string {
  return encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'));
}
