import { Server, type ServerCredentials, type ServerInterceptor, type ServerOptions } from '@grpc/grpc-js';
import type { ServiceDefinition, UntypedServiceImplementation } from '@grpc/grpc-js';
import { GrpcApiError } from './grpc-api-error.js';

/** Calls at once on one connection. Callers are few and multiplex; more than this is a defect of theirs. */
const CALLS_PER_CONNECTION_MAX = 1000;

/** Time in ms after which a peer that vanished without a word is noticed and its streams end. */
const KEEPALIVE_MS = 60_000;
const KEEPALIVE_TIMEOUT_MS = 20_000;

export interface PortServerOptions {
  readonly host: string;
  readonly port: number;
  readonly maxMessageBytes: number;
  readonly interceptors: readonly ServerInterceptor[];
}

export interface Service {
  readonly definition: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
}

/** A gRPC server on one port. */
export class PortServer {
  readonly #server: Server;
  readonly #options: PortServerOptions;

  constructor(services: readonly Service[], options: PortServerOptions) {
    const serverOptions: ServerOptions = {
      'grpc.max_receive_message_length': options.maxMessageBytes,
      'grpc.max_concurrent_streams': CALLS_PER_CONNECTION_MAX,
      'grpc.keepalive_time_ms': KEEPALIVE_MS,
      'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
      interceptors: [...options.interceptors],
    };
    this.#server = new Server(serverOptions);
    this.#options = options;
    for (const { definition, implementation } of services) this.#server.addService(definition, implementation);
  }

  /** Opens the port; resolves with the real number. Rejects with GrpcApiError `listen_failed`. */
  listen(credentials: ServerCredentials): Promise<number> {
    const { host, port } = this.#options;
    const address = `${host.includes(':') ? `[${host}]` : host}:${port}`;
    return new Promise((resolve, reject) => {
      this.#server.bindAsync(address, credentials, (error, bound) => {
        if (error === null) resolve(bound);
        else
          reject(
            new GrpcApiError('listen_failed', `gRPC cannot listen on ${address}: ${error.message}`, { cause: error }),
          );
      });
    });
  }

  /** Refuses new connections at once, gives calls under way this time to end, then cuts them. */
  async close(graceMs: number): Promise<void> {
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    this.#server.tryShutdown(() => end());
    const timer = setTimeout(() => {
      this.#server.forceShutdown();
      // This is not waited for: a peer that never finished its TLS handshake is known to nobody who could cut it.
      end();
    }, graceMs);
    await ended;
    clearTimeout(timer);
  }
}
