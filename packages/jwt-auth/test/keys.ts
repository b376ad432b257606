import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose';

/** Start of the fake clock: 2027-01-01, a whole second, as `exp` and `nbf` are. */
export const NOW_MS = 1_798_761_600_000;
export const NOW_S = NOW_MS / 1000;

export const SECRET = 'a-secret-of-at-least-thirty-two-bytes!';

export interface SignOptions {
  readonly alg?: string;
  readonly key?: CryptoKey | Uint8Array;
  readonly kid?: string;
}

/** A token with these claims; HS256 under SECRET unless said otherwise. */
export async function sign(claims: Record<string, unknown>, options: SignOptions = {}): Promise<string> {
  const { alg = 'HS256', key = new TextEncoder().encode(SECRET), kid } = options;
  return new SignJWT(claims).setProtectedHeader({ alg, ...(kid === undefined ? {} : { kid }) }).sign(key);
}

export interface KeyPair {
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
  readonly jwk: JWK;
}

export async function makeKeyPair(alg: string, kid?: string): Promise<KeyPair> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), alg, use: 'sig', ...(kid === undefined ? {} : { kid }) };
  return { privateKey, publicKey, jwk };
}

/** Header and claims as they are, with whatever signature: what jose would refuse to make. */
export function forge(header: unknown, claims: unknown, signature = 'AAAA'): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part(header)}.${part(claims)}.${signature}`;
}

/** The rejection's code or name; fails loudly when there is none. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    if (error instanceof Error) return 'code' in error && typeof error.code === 'string' ? error.code : error.name;
    throw error;
  }
  return 'accepted';
}
