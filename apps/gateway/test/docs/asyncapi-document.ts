import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { load } from 'js-yaml';

export interface AsyncApi {
  readonly channels: Readonly<Record<string, object>>;
  readonly operations: Readonly<Record<string, { readonly action: string; readonly reply?: object }>>;
  readonly components: { readonly messages: Readonly<Record<string, object>> };
  readonly 'x-close-codes': Readonly<Record<string, string>>;
}

export const asyncApi = load(
  readFileSync(new URL('../../../../docs/asyncapi.yaml', import.meta.url), 'utf8'),
) as unknown as AsyncApi;

const ajv = new Ajv({ strict: false, validateFormats: false });
ajv.addSchema(asyncApi, 'asyncapi', false, false);

/** Tells why the frame is not such a message; null when it is. */
export function mismatch(message: string, frame: unknown): string | null {
  if (asyncApi.components.messages[message] === undefined) return `there is no message ${message}`;
  const $ref = `asyncapi#/components/messages/${message}/payload`;
  const validate = ajv.getSchema($ref) ?? ajv.compile({ $ref });
  return validate(frame) === true ? null : ajv.errorsText(validate.errors);
}
