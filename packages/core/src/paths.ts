/** Paths that speak the gateway's own frames on every node. */
export const builtInPaths = [
  { path: '/ws', guests: false },
  { path: '/web', guests: true },
  { path: '/mobile', guests: true },
] as const;

export const builtInPathNames: readonly string[] = builtInPaths.map(({ path }) => path);

/** Beginning of the paths of hubs; the hub's name follows. */
export const HUB_PATH = '/websocket/';
