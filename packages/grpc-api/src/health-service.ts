import { status, type ServerUnaryCall, type ServerWritableStream, type sendUnaryData } from '@grpc/grpc-js';
import type { UntypedServiceImplementation } from '@grpc/grpc-js';

export const HEALTH_SERVICE = 'grpc.health.v1.Health';

/** Anybody may watch, also without the token. */
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

/** grpc.health.v1: all services of the process are serving until `leave`, and then none. Shared by all ports. */
export class HealthService {
  readonly #services: ReadonlySet<string>;
  readonly #watchers = new Set<Watcher>();
  #status = SERVING;

  /** `''` stands for the whole server and is always known. */
  constructor(services: readonly string[]) {
    this.#services = new Set(['', ...services]);
  }

  /** NOT_SERVING from now on, and watchers are told. Calls are still answered. */
  leave(): void {
    if (this.#status === NOT_SERVING) return;
    this.#status = NOT_SERVING;
    for (const watcher of this.#watchers) {
      if (this.#services.has(watcher.request.service)) watcher.write({ status: NOT_SERVING });
    }
  }

  /** An open watch would hold up the end of the server. */
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
