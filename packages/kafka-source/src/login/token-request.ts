import { LoginTokenError } from './login-token.js';

const ANSWER_TIMEOUT_MS = 5_000;
const ANSWER_BYTES_MAX = 65_536;
/** Length of what an error message quotes of an answer. */
const QUOTE_MAX = 200;

export interface TokenRequest {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/**
 * Asks a service for what a login needs, and returns the text of its answer. Redirects are not followed: the request
 * carries a secret. Rejects with LoginTokenError, whose message begins with the address (without its query).
 */
export async function askIssuer(url: URL, { method, headers = {}, body }: TokenRequest): Promise<string> {
  const address = url.origin + url.pathname;
  const fail = (code: LoginTokenError['code'], message: string): LoginTokenError =>
    new LoginTokenError(code, `${address}: ${message}`);
  const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
  try {
    const question: RequestInit = {
      method,
      headers,
      redirect: 'manual',
      signal,
      ...(body === undefined ? {} : { body }),
    };
    const response = await fetch(url, question);
    const text = await boundedText(response);
    if (response.ok) return text;
    // 401 and the like are about who asks; what else goes wrong is the issuer's trouble.
    const isRefusal = response.status >= 400 && response.status < 500 && response.status !== 429;
    throw fail(
      isRefusal ? 'login_token_refused' : 'login_token_unavailable',
      `answered ${response.status} ${text.slice(0, QUOTE_MAX).replaceAll(/\s+/g, ' ')}`.trimEnd(),
    );
  } catch (error) {
    if (error instanceof LoginTokenError) throw error;
    throw fail('login_token_unavailable', reasonOf(error));
  }
}

/** `fetch` itself only ever says that it failed; its cause says why. */
function reasonOf(error: unknown): string {
  const { cause, name, message } = error as Error;
  if (name === 'TimeoutError') return `no answer within ${ANSWER_TIMEOUT_MS} ms (ETIMEDOUT)`;
  // A name with several addresses: each of them failed.
  const inner: unknown = cause instanceof AggregateError ? cause.errors[0] : cause;
  return inner instanceof Error && inner.message !== '' ? inner.message : message;
}

async function boundedText({ body }: Response): Promise<string> {
  if (body === null) return '';
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.byteLength;
    if (bytes > ANSWER_BYTES_MAX) throw new Error(`the answer is longer than ${ANSWER_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
