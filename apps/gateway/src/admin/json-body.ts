import { isUtf8 } from 'node:buffer';
import { isObject, type HttpRequest } from '@ws-gateway/core';
import { AdminError } from './admin-error.js';

export interface JsonBody {
  readonly bytes: Buffer;
  readonly object: Readonly<Record<string, unknown>>;
}

/** The body as it came and as an object. Throws AdminError; what the transport has answered already passes through. */
export async function jsonBody(request: HttpRequest, options: { mayBeEmpty: boolean }): Promise<JsonBody> {
  const bytes = Buffer.from(await request.body());
  if (bytes.length === 0 && options.mayBeEmpty) return { bytes, object: {} };
  if (!isUtf8(bytes)) throw new AdminError('bad_request', 'the body is not UTF-8');
  const value = parsed(bytes.toString());
  if (!isObject(value)) throw new AdminError('bad_request', 'the body must be a JSON object');
  return { bytes, object: value };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new AdminError('bad_request', `the body is not JSON: ${(error as Error).message}`);
  }
}
