import { AuthConfigError } from './auth-config-error.js';

export interface HttpAnswer {
  readonly status: number;
  /** Body of a 200, read to its end; '' with any other status. */
  readonly text: string;
}

export interface HttpQuestion {
  readonly url: URL;
  /** Time limit in ms for all of it: connecting, waiting, reading. */
  readonly timeoutMs: number;
  readonly bytesMax: number;
  /** Body as JSON text; without one the question is a GET. */
  readonly body?: string;
}

/**
 * Asks a service that the gateway trusts. It follows no redirects. The body of a 200 is waited for, and one that is longer
 * than allowed rejects; any other status is the whole answer, whatever comes behind it or never does. It asks once more
 * when the connection ended before any answer: the other side may close a kept connection in the moment it is used, and a
 * question does no harm twice.
 */
export async function ask({ url, timeoutMs, bytesMax, body }: HttpQuestion): Promise<HttpAnswer> {
  const signal = AbortSignal.timeout(timeoutMs);
  const accept = { accept: 'application/json' };
  const question: RequestInit =
    body === undefined
      ? { method: 'GET', headers: accept }
      : { method: 'POST', headers: { ...accept, 'content-type': 'application/json' }, body };
  const attempt = (): Promise<Response> => fetch(url, { ...question, redirect: 'manual', signal });
  const response = await attempt().catch((error: unknown) => {
    if (isEndedUnanswered(error)) return attempt();
    throw error;
  });
  const { status } = response;
  const reading = boundedText(response, bytesMax);
  if (status === 200) return { status, text: await reading };
  // A body that was read to its end leaves a connection that can be used again; nobody needs this one.
  reading.catch(() => undefined);
  return { status, text: '' };
}

/** Throws AuthConfigError, whose message starts with `path`. */
export function serviceUrl(text: string, path: string): URL {
  const url = URL.parse(text);
  if (url !== null && /^https?:$/.test(url.protocol)) return url;
  throw new AuthConfigError('bad_url', `${path}: must be an http or https URL`);
}

/** Tells it by the code of the cause: `fetch` itself only ever says that it failed. */
function isEndedUnanswered(error: unknown): boolean {
  const { cause } = error as { readonly cause?: { readonly code?: unknown } };
  return ['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'].includes(String(cause?.code));
}

async function boundedText({ body }: Response, bytesMax: number): Promise<string> {
  if (body === null) return '';
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.byteLength;
    if (bytes > bytesMax) throw new Error(`the answer is longer than ${bytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
