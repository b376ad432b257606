import { createRequire } from 'node:module';
import type * as Uws from 'uWebSockets.js';

/**
 * Request line and headers together, in bytes: 16 kB for long tokens and a little for what a proxy
 * adds. Above it uWebSockets.js itself answers 431.
 */
const HEADER_BYTES_MAX = 16_384 + 512;

let addon: typeof Uws | null = null;

/**
 * Loads the native addon at first use. It reads UWS_HTTP_MAX_HEADERS_SIZE once, while it is loaded (default 4096, too
 * small for a token), so the variable has to be set before: an `import` at the top of a file would come too early. A
 * value from outside is kept.
 */
export function loadAddon(): typeof Uws {
  process.env['UWS_HTTP_MAX_HEADERS_SIZE'] ??= String(HEADER_BYTES_MAX);
  addon ??= createRequire(import.meta.url)('uWebSockets.js') as typeof Uws;
  return addon;
}
