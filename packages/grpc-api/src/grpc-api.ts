import { setLogger } from '@grpc/grpc-js';
import type { Logger, Notifier } from '@ws-gateway/core';
import { bearerToken } from './bearer-token.js';
import { serverCredentials, type GrpcTlsFiles, type RenewableCredentials } from './credentials.js';
import { loadDescriptors, type Descriptors } from './descriptors.js';
import { GrpcApiError } from './grpc-api-error.js';
import { HEALTH_SERVICE, HealthService } from './health-service.js';
import { NOTIFICATION_SERVICE, notificationService } from './notification-service.js';
import { PortServer, type Service } from './port-server.js';
import { ReflectionIndex } from './reflection-index.js';
import { REFLECTION_SERVICES, ReflectionService } from './reflection-service.js';
import { serviceDefinition } from './service-definition.js';

export interface GrpcApiDeps {
  readonly notifier: Notifier;
  readonly logger: Logger;
}

export interface GrpcPort {
  /** Port; 0: any free one. */
  readonly port: number;
  /** Hub that this port reaches; null: the whole gateway. */
  readonly hub: string | null;
}

export interface GrpcApiOptions {
  readonly ports: readonly GrpcPort[];
  readonly host: string;
  /** Token that callers must send as `authorization: Bearer <token>`; '': none. Health may be asked without it. */
  readonly token: string;
  readonly tls: GrpcTlsFiles | null;
  /** Size limit of a request in bytes, also after decompression. A longer one ends RESOURCE_EXHAUSTED. */
  readonly maxMessageBytes: number;
  /** Paths of FileDescriptorSets or .proto files: message types that an Any may hold besides the well-known ones. */
  readonly descriptorFiles?: readonly string[];
}

export interface GrpcApi {
  /**
   * Opens all ports or none; resolves with the real numbers, in the order given. Rejects with GrpcApiError. Call it
   * once only.
   */
  start(): Promise<number[]>;
  /** Reads the certificates again, for connections that come from now on. Rejects with GrpcApiError `bad_tls`. */
  renewCertificates(): Promise<void>;
  /** Makes health say NOT_SERVING from now on, so that balancers send callers elsewhere. Calls are still served. */
  drain(): void;
  /** Drains, refuses new calls, gives those under way `graceMs`, then cuts them. A second call waits for the first. */
  stop(graceMs: number): Promise<void>;
}

/** Creates the notification service with reflection and health, one server for each port. */
export function createGrpcApi(deps: GrpcApiDeps, options: GrpcApiOptions): GrpcApi {
  return new GrpcServers(deps, options);
}

class GrpcServers implements GrpcApi {
  readonly #deps: GrpcApiDeps;
  readonly #options: GrpcApiOptions;
  readonly #health = new HealthService([NOTIFICATION_SERVICE]);
  #reflection: ReflectionService | undefined;
  #servers: readonly PortServer[] = [];
  #credentials: RenewableCredentials | undefined;
  #starting: Promise<number[]> | undefined;
  #stopped: Promise<void> | undefined;

  constructor(deps: GrpcApiDeps, options: GrpcApiOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  start(): Promise<number[]> {
    this.#starting = this.#start();
    return this.#starting;
  }

  async renewCertificates(): Promise<void> {
    await this.#credentials?.renew();
  }

  drain(): void {
    this.#health.leave();
  }

  stop(graceMs: number): Promise<void> {
    this.#stopped ??= this.#stop(graceMs);
    return this.#stopped;
  }

  async #start(): Promise<number[]> {
    if (this.#stopped !== undefined) throw new GrpcApiError('listen_failed', 'stopped before it was started');
    const { descriptorFiles = [], ports, tls } = this.#options;
    // Otherwise the library writes to the console, and it takes no other logger than a process-wide one.
    setLogger({ error: (...words: unknown[]) => this.#deps.logger.warn('grpc library', { text: words.join(' ') }) });
    const descriptors = await loadDescriptors(descriptorFiles);
    const { credentials } = (this.#credentials = await serverCredentials(tls));
    const names = [NOTIFICATION_SERVICE, HEALTH_SERVICE, ...REFLECTION_SERVICES];
    this.#reflection = new ReflectionService(new ReflectionIndex(descriptors.files), names);
    const shared = this.#sharedServices(descriptors, this.#reflection);
    this.#servers = ports.map((port) => this.#server(port, descriptors, shared));
    try {
      const opened: number[] = [];
      for (const server of this.#servers) opened.push(await server.listen(credentials));
      this.#deps.logger.info('grpc listens', {
        ports: opened,
        hubs: ports.flatMap(({ hub }) => hub ?? []),
        tls: tls !== null,
      });
      return opened;
    } catch (error) {
      await this.#close(0);
      throw error;
    }
  }

  async #stop(graceMs: number): Promise<void> {
    this.drain();
    // A port that is just being opened cannot be closed.
    await Promise.allSettled([this.#starting]);
    await this.#close(graceMs);
  }

  async #close(graceMs: number): Promise<void> {
    const closed = this.#servers.map((server) => server.close(graceMs));
    // The ports are closed by now, so no stream can come that nobody would end.
    this.#health.endWatches();
    this.#reflection?.endStreams();
    await Promise.all(closed);
  }

  #sharedServices({ services }: Descriptors, reflection: ReflectionService): Service[] {
    return [
      { definition: serviceDefinition(services, HEALTH_SERVICE), implementation: this.#health.implementation() },
      ...REFLECTION_SERVICES.map((name) => ({
        definition: serviceDefinition(services, name),
        implementation: reflection.implementation(),
      })),
    ];
  }

  #server({ port, hub }: GrpcPort, { services, anyTypes }: Descriptors, shared: readonly Service[]): PortServer {
    const { host, token, maxMessageBytes } = this.#options;
    const notifications = {
      definition: serviceDefinition(services, NOTIFICATION_SERVICE),
      implementation: notificationService({ ...this.#deps, types: anyTypes }, hub),
    };
    const interceptors = token === '' ? [] : [bearerToken(token, [HEALTH_SERVICE], this.#deps.logger)];
    return new PortServer([notifications, ...shared], { host, port, maxMessageBytes, interceptors });
  }
}
