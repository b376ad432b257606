import { BlockList, isIP } from 'node:net';
import type { Logger, Notifier } from '@ws-gateway/core';
import { createGrpcApi, GrpcApiError, type GrpcApi, type GrpcPort } from '@ws-gateway/grpc-api';
import type { Config } from '../config/config.js';
import { listenHost } from './listen-host.js';

const STOP_GRACE_MS = 1000;

/** The gRPC ports of a node. */
export class GrpcPorts {
  readonly #config: Config;
  readonly #deps: { readonly notifier: Notifier; readonly logger: Logger };
  #opening: Promise<void> = Promise.resolve();
  #apis: GrpcApi[] = [];
  #draining = false;

  constructor(config: Config, deps: { notifier: Notifier; logger: Logger }) {
    this.#config = config;
    this.#deps = deps;
  }

  /**
   * Opens the service's port and one for each hub. A port that is taken is an error in the log and not the node's end: on
   * a machine with several nodes one of them has it, and a call on any node reaches the sockets of all.
   */
  open(): Promise<void> {
    this.#opening = this.#opening.then(() => this.#open());
    return this.#opening;
  }

  async renewCertificates(): Promise<void> {
    await Promise.all(this.#apis.map((api) => api.renewCertificates()));
  }

  drain(): void {
    this.#draining = true;
    for (const api of this.#apis) api.drain();
  }

  async close(): Promise<void> {
    await Promise.allSettled([this.#opening]);
    await Promise.all(this.#apis.map((api) => api.stop(STOP_GRACE_MS)));
  }

  async #open(): Promise<void> {
    const { grpc, hubs } = this.#config;
    if (!grpc.enabled || this.#apis.length > 0) return;
    this.#warnIfOpen();
    const ports: GrpcPort[] = [
      { port: grpc.port, hub: null },
      ...hubs.map(({ name, grpcPort }) => ({ port: grpcPort, hub: name })),
    ];
    for (const port of ports) {
      if (this.#draining) return;
      const api = createGrpcApi(this.#deps, { ...grpc, host: listenHost(grpc.host), ports: [port] });
      try {
        await api.start();
        this.#apis.push(api);
      } catch (error) {
        if (!(error instanceof GrpcApiError) || error.code !== 'listen_failed') throw error;
        this.#deps.logger.error('grpc port cannot be opened, this node goes on without it', { ...port, error });
      }
    }
  }

  #warnIfOpen(): void {
    const { host, port, token, tls } = this.#config.grpc;
    if (token !== '' || (tls !== null && tls.clientCaFile !== '') || isLoopback(host)) return;
    const message = 'grpc is open to the network: whoever reaches it may send to all users';
    this.#deps.logger.warn(message, { host, port, keys: ['grpc.token', 'grpc.tls.clientCaFile', 'grpc.host'] });
  }
}

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

function isLoopback(host: string): boolean {
  const family = isIP(host);
  return family === 0 ? host === 'localhost' : LOOPBACK.check(host, family === 4 ? 'ipv4' : 'ipv6');
}
