/** What the node tells of itself, and what the address brought along. */

export interface Settings {
  readonly node: string;
  readonly version: string;
  readonly role: 'all' | 'edge' | 'router';
  readonly topics: readonly string[];
  /** Where metrics are; null: switched off. */
  readonly metrics: { readonly path: string; readonly namespace: string } | null;
  /** True when the admin API is there. */
  readonly admin: boolean;
  /** Port of the sockets; null: the one that this page came from. */
  readonly sockets: { readonly port: number; readonly tls: boolean } | null;
}

export async function loadSettings(): Promise<Settings> {
  const response = await fetch('console/settings.json');
  return (await response.json()) as Settings;
}

/**
 * Takes `#token=…&topics=…&admin=…`, which `dev` prints, out of the address. A fragment never leaves the browser;
 * removing it at once keeps it from being copied or kept in the history.
 */
export function takeFragment(): URLSearchParams {
  // The same address with other tokens, in a tab that is open already, is not a new page to the browser.
  addEventListener('hashchange', () => {
    if (hasToken(fragment())) location.reload();
  });
  const given = fragment();
  if (hasToken(given)) history.replaceState(null, '', location.pathname + location.search);
  return given;
}

function fragment(): URLSearchParams {
  return new URLSearchParams(location.hash.slice(1));
}

function hasToken(given: URLSearchParams): boolean {
  return given.has('token') || given.has('admin');
}
