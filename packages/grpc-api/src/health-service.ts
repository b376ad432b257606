import { status, type ServerUnaryCall, type ServerWritableStream, type sendUnaryData } from '@grpc/grpc-js';
import type { UntypedServiceImplementation } from '@grpc/grpc-js';

export const HEALTH_SERVICE = 'grpc.health.v1.Health';

/** Number of watches at a time: anybody may watch, also without the token. */
const WATCHERS_MAX = 1000;

const SERVING = 1;
const NOT_SERVING = 2;
const SERVICE_UNKNOWN = 3;

interface HealthRequest {
  readonly service: string;
}
interface HealthResponse {
  readonly status: number;
}
type Watcher = ServerWritableStream<HealthRequest, HealthResponse>;

/**
 * Implements grpc.health.v1 for all ports of the process: all services are serving until `leave`, and none after it.
 */
export class HealthService {
  readonly #services: ReadonlySet<string>;
  readonly #watchers = new Set<Watcher>();
  #status = SERVING;

  /** `services` are the known names. `''` stands for the whole server and is always known. */
  constructor(services: readonly string[]) {
    this.#services = new Set(['', ...services]);
  }

  /** Answers NOT_SERVING from now on and tells watchers. Calls are still answered. */
  leave(): void {
    if (this.#status === NOT_SERVING) return;
    this.#status = NOT_SERVING;
    for (const watcher of this.#watchers) {
      if (this.#services.has(watcher.request.service)) watcher.write({ status: NOT_SERVING });
    }
  }

  /** Ends all watches: an open one would hold up the end of the server. */
  endWatches(): void {
    for (const watcher of this.#watchers) watcher.end();
    this.#watchers.clear();
  }

  implementation(): UntypedServiceImplementation {
    return {
      Check: ({ request }: ServerUnaryCall<HealthRequest, HealthResponse>, callback: sendUnaryData<HealthResponse>) => {
        if (this.#services.has(request.service)) callback(null, { status: this.#status });
        else callback({ code: status.NOT_FOUND, details: 'unknown service' });
      },
      List: (_call: ServerUnaryCall<object, object>, callback: sendUnaryData<object>) => {
        const entries = [...this.#services].map((service) => [service, { status: this.#status }]);
        callback(null, { statuses: Object.fromEntries(entries) });
      },
      Watch: (watcher: Watcher) => this.#watch(watcher),
    };
  }

  #watch(watcher: Watcher): void {
    if (this.#watchers.size >= WATCHERS_MAX) {
      watcher.emit('error', { code: status.RESOURCE_EXHAUSTED, details: 'too many watches' });
      return;
    }
    this.#watchers.add(watcher);
    watcher.on('cancelled', () => this.#watchers.delete(watcher));
    watcher.write({ status: this.#services.has(watcher.request.service) ? this.#status : SERVICE_UNKNOWN });
  }
}
