import { builtInPaths, HUB_PATH } from '../paths.js';
import type { Endpoint } from './delivery/connection.js';
import { RefusalError } from './refusals.js';

/** The WebSocket endpoints of this node. */
export class Endpoints {
  readonly #byPath: ReadonlyMap<string, Endpoint>;

  constructor(endpoints: readonly Endpoint[]) {
    this.#byPath = new Map(endpoints.map((endpoint) => [endpoint.path, endpoint]));
  }

  has(path: string): boolean {
    return this.#byPath.has(path);
  }

  /** Throws RefusalError `unknown_hub` or `unknown_endpoint`. */
  require(path: string): Endpoint {
    const endpoint = this.#byPath.get(path);
    if (endpoint === undefined) throw this.unknown(path);
    return endpoint;
  }

  unknown(path: string): RefusalError {
    if (path.startsWith(HUB_PATH)) return new RefusalError('unknown_hub', 'no such hub');
    return new RefusalError('unknown_endpoint', `no such endpoint; try ${builtInPaths[0].path}`);
  }
}
