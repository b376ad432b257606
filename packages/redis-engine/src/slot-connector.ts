import { connect as connectNet, Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { AbstractConnector, type RedisOptions } from 'ioredis';
import type { Address } from './options.js';

/** Time in ms for a goodbye: a server that gives no answer does not say goodbye either. */
export const DISCONNECT_TIMEOUT_MS = 250;

type Connector = NonNullable<RedisOptions['Connector']>;

/**
 * Makes a closed socket, which a connector resolves to instead of rejecting. The library gives a connection up for ever
 * when `connect` rejects, even when it was only told to disconnect and begin again; one that is closed at once it tries
 * again.
 */
export function closedSocket(): Socket {
  return new Socket().destroy();
}

/** Makes a connector for the library: each connect begins with the question where to. */
export function connectorTo(find: () => Promise<Address>, tls: ConnectionOptions | undefined): Connector {
  return class extends AbstractConnector {
    constructor() {
      super(DISCONNECT_TIMEOUT_MS);
    }

    async connect(): Promise<Socket> {
      this.connecting = true;
      const socket = await this.#open();
      // Meanwhile it was told to disconnect.
      if (!this.connecting) return socket.destroy();
      this.stream = socket as typeof this.stream;
      return socket;
    }

    /** A master that has become a replica since it was asked for. */
    override check({ role }: { role?: string }): boolean {
      return role === undefined || role === 'master';
    }

    async #open(): Promise<Socket> {
      try {
        const address = await find();
        const socket = tls === undefined ? connectNet(address) : connectTls({ ...address, ...tls });
        socket.once('error', (error) => (this.firstError = error));
        return socket;
      } catch (error) {
        this.firstError = error as Error;
        return closedSocket();
      }
    }
  };
}
