import { createServer } from 'node:net';
import type { TemplatedApp, us_listen_socket } from 'uWebSockets.js';
import { loadAddon } from './addon.js';
import { TransportError } from './transport-error.js';

/** LIBUS_LISTEN_EXCLUSIVE_PORT. Without it SO_REUSEPORT is set, and two programs share a port without noticing. */
const EXCLUSIVE_PORT = 1;

interface ListenAddress {
  readonly host: string;
  readonly port: number;
  readonly reusePort: boolean;
}

/** It exists, only the package's types have no overload with both host and options. */
type ListenOnHost = (
  host: string,
  port: number,
  options: number,
  callback: (listener: us_listen_socket | false) => void,
) => void;

/**
 * Listening sockets on the port. uWebSockets.js asks the kernel for a queue of 512 connections for each, whatever
 * `net.core.somaxconn` allows. When clients come back from a dead node, more than 512 come within one turn of the event loop, and
 * whoever finds no place in the queue tries again after one second, then two more. Linux spreads connections evenly over the
 * sockets; elsewhere the last one would get them all. Processes that share a port have equally many each, so each gets its share.
 */
const LISTENERS = process.platform === 'linux' ? 8 : 1;

/**
 * Binds all listening sockets or none. None: failed; uWebSockets.js doesn't say why. Sockets that share a port cannot tell that another
 * program is there, so one that does not share looks first, and is closed again in the same turn of the event loop. It also finds a
 * free port, because uWebSockets.js does not share one that the kernel chose.
 */
export function bindListeners(app: TemplatedApp, { host, port, reusePort }: ListenAddress): us_listen_socket[] {
  const looks = !reusePort || port === 0;
  const first = listen(app, { host, port, options: looks ? EXCLUSIVE_PORT : 0 });
  if (first === null) return [];
  if (LISTENERS === 1) return [first];
  const listeners = looks ? [] : [first];
  const shared = { host, port: portOf(first), options: 0 };
  if (looks) closeListener(first);
  while (listeners.length < LISTENERS) {
    const more = listen(app, shared);
    if (more === null) {
      listeners.forEach(closeListener);
      return [];
    }
    listeners.push(more);
  }
  return listeners;
}

export function portOf(listener: us_listen_socket): number {
  return loadAddon().us_socket_local_port(listener as never);
}

export function closeListener(listener: us_listen_socket): void {
  loadAddon().us_listen_socket_close(listener);
}

function listen(
  app: TemplatedApp,
  { host, port, options }: { host: string; port: number; options: number },
): us_listen_socket | null {
  let bound: us_listen_socket | null = null;
  (app.listen.bind(app) as unknown as ListenOnHost)(host, port, options, (listener) => {
    bound = listener === false ? null : listener;
  });
  return bound;
}

/** Tries the same address with Node to learn why it cannot be listened on. */
export async function listenError(host: string, port: number): Promise<TransportError> {
  const cause = await new Promise<NodeJS.ErrnoException | null>((resolve) => {
    const probe = createServer();
    probe.once('error', resolve);
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => resolve(null)));
  });
  if (cause?.code === 'EADDRINUSE') {
    return new TransportError('address_in_use', `port ${port} on ${host} is taken by another program`, { cause });
  }
  const why = cause?.code ?? 'unknown reason';
  return new TransportError('cannot_listen', `cannot listen on ${host}, port ${port}: ${why}`, { cause });
}
