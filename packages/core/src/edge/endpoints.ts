import { builtInPaths, HUB_PATH } from '../paths.js';
import type { Endpoint } from './delivery/connection.js';
import { RefusalError } from './refusals.js';

/** The endpoints of this node: those that speak WebSocket, and the one of server-sent events. */
export class Endpoints {
  readonly #byPath: ReadonlyMap<string, Endpoint>;
  /** Endpoint of server-sent events; null: there is none. */
  readonly #events: Endpoint | null;

  constructor(endpoints: readonly Endpoint[], events: Endpoint | null = null) {
    this.#byPath = new Map(endpoints.map((endpoint) => [endpoint.path, endpoint]));
    this.#events = events;
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

  /** Throws RefusalError `unknown_endpoint`. */
  requireEvents(path: string): Endpoint {
    if (this.#events?.path !== path) throw this.unknown(path);
    return this.#events;
  }

  unknown(path: string): RefusalError {
    if (path.startsWith(HUB_PATH)) return new RefusalError('unknown_hub', 'no such hub');
    if (path === this.#events?.path)
      return new RefusalError('unknown_endpoint', 'this endpoint speaks server-sent events: a plain GET');
    return new RefusalError('unknown_endpoint', `no such endpoint; try ${builtInPaths[0].path}`);
  }
}
