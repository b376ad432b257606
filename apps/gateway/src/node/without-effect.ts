import type { Config } from '../config/config.js';

/** Time in ms that uWebSockets.js gives an answer that ends its connection; it cannot be changed. */
const UWS_ANSWER_TIMEOUT_MS = 10_000;

/**
 * Lists keys that are set and valid but do nothing yet in this version. The start names them, so that nobody relies on
 * them.
 */
export function withoutEffect({ server }: Config): string[] {
  const rows: readonly (readonly [string, boolean])[] = [
    ['server.writeTimeout', server.proxyProtocol && server.writeTimeoutMs !== UWS_ANSWER_TIMEOUT_MS],
  ];
  return rows.filter(([, set]) => set).map(([key]) => key);
}
