import type { Logger, Notifier } from '@ws-gateway/core';
import { createGrpcApi, GrpcApiError, type GrpcApi, type GrpcPort } from '@ws-gateway/grpc-api';
import type { Config } from './config/config.js';

const STOP_GRACE_MS = 1000;

/** The gRPC ports of a node that are open. */
export class GrpcPorts {
  readonly #apis: readonly GrpcApi[];

  private constructor(apis: readonly GrpcApi[]) {
    this.#apis = apis;
  }

  /**
   * Opens the service's port and one for each hub. A port that is taken is an error in the log and not the node's end: on
   * a machine with several nodes one of them has it, and a call on any node reaches the sockets of all.
   */
  static async open(config: Config, deps: { notifier: Notifier; logger: Logger }): Promise<GrpcPorts> {
    const { grpc, hubs, server } = config;
    if (!grpc.enabled) return new GrpcPorts([]);
    const ports: GrpcPort[] = [
      { port: grpc.port, hub: null },
      ...hubs.map(({ name, grpcPort }) => ({ port: grpcPort, hub: name })),
    ];
    const opened: GrpcApi[] = [];
    for (const port of ports) {
      const api = createGrpcApi(deps, { ...grpc, host: server.host, ports: [port] });
      try {
        await api.start();
        opened.push(api);
      } catch (error) {
        if (!(error instanceof GrpcApiError) || error.code !== 'listen_failed') throw error;
        deps.logger.error('grpc port cannot be opened, this node goes on without it', { ...port, error });
      }
    }
    return new GrpcPorts(opened);
  }

  drain(): void {
    for (const api of this.#apis) api.drain();
  }

  async close(): Promise<void> {
    await Promise.all(this.#apis.map((api) => api.stop(STOP_GRACE_MS)));
  }
}
