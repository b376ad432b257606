import { RefusalError } from './refusals.js';

/** What a path accepts. */
export interface Endpoint {
  readonly path: string;
  /** May be opened without a token. */
  readonly guests: boolean;
  /** The hub whose members its connections are. */
  readonly hub: string | null;
  /** The backend that its connections are pipes to. */
  readonly pipe: PipeOptions | null;
}

/** An endpoint whose connections are pipes to one backend (docs/backend-links.md). */
export interface PipeOptions {
  /** The backend's name. */
  readonly name: string;
  readonly path: string;
  /** A user's second connection in the cluster is refused, or the first is closed with 4501. */
  readonly sessionPolicy: 'reject' | 'replace';
}

const HUBS = '/websocket/';

/** The WebSocket endpoints of this node. */
export class Endpoints {
  readonly #byPath: ReadonlyMap<string, Endpoint>;

  constructor(hubs: readonly string[], pipes: readonly PipeOptions[]) {
    const all: Endpoint[] = [
      { path: '/ws', guests: false, hub: null, pipe: null },
      { path: '/web', guests: true, hub: null, pipe: null },
      { path: '/mobile', guests: true, hub: null, pipe: null },
      ...hubs.map((hub) => ({ path: HUBS + hub, guests: false, hub, pipe: null })),
      ...pipes.map((pipe) => ({ path: pipe.path, guests: false, hub: null, pipe })),
    ];
    this.#byPath = new Map(all.map((endpoint) => [endpoint.path, endpoint]));
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
    if (path.startsWith(HUBS)) return new RefusalError('unknown_hub', 'no such hub');
    return new RefusalError('unknown_endpoint', 'no such endpoint; try /ws');
  }
}
