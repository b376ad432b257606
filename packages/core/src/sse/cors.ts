/**
 * Headers by which a page of another origin may read an answer. Without a list every origin may, but never with
 * credentials of the browser's own (cookies): a client shows its token.
 */
export function corsHeaders(origin: string, allowedOrigins: readonly string[]): Readonly<Record<string, string>> {
  const readable = { 'access-control-expose-headers': 'retry-after' };
  if (allowedOrigins.length === 0) return { 'access-control-allow-origin': '*', ...readable };
  if (!allowedOrigins.includes(origin)) return { vary: 'origin' };
  return { 'access-control-allow-origin': origin, vary: 'origin', ...readable };
}

/** Headers of the answer to the question of a browser whether a page may ask. */
export function preflightHeaders(origin: string, allowedOrigins: readonly string[]): Readonly<Record<string, string>> {
  return {
    ...corsHeaders(origin, allowedOrigins),
    'access-control-allow-methods': 'GET',
    'access-control-allow-headers': 'authorization, last-event-id, cache-control',
    'access-control-max-age': '600',
  };
}
