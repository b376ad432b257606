import type { Socket, Transport } from '@ws-gateway/core';

/** Fan-out of one node, in memory: whoever has joined a group gets what is published to it. */
export class DeviceTransport implements Transport {
  readonly #groups = new Map<string, Set<Socket>>();

  publish(group: string, frame: Uint8Array): void {
    for (const socket of this.#groups.get(group) ?? []) socket.send(frame);
  }

  join(group: string, socket: Socket): void {
    const sockets = this.#groups.get(group) ?? new Set();
    this.#groups.set(group, sockets.add(socket));
  }

  leave(group: string, socket: Socket): void {
    this.#groups.get(group)?.delete(socket);
  }

  /** The socket has ended. */
  forget(socket: Socket): void {
    for (const sockets of this.#groups.values()) sockets.delete(socket);
  }
}
