import { createHmac } from 'node:crypto';

/** Signs a JWT by HS256 with nothing but node:crypto, so that the verifier is tested against a foreign signature. */
export function signToken(claims: Readonly<Record<string, unknown>>, secret: string): string {
  const head = encode({ alg: 'HS256', typ: 'JWT' });
  const signed = `${head}.${encode(claims)}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
