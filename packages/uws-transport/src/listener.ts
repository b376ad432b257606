import { createServer } from 'node:net';
import type { TemplatedApp, us_listen_socket } from 'uWebSockets.js';
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

/** null: failed; uWebSockets.js doesn't say why. */
export function bindListener(app: TemplatedApp, { host, port, reusePort }: ListenAddress): us_listen_socket | null {
  let bound: us_listen_socket | null = null;
  const listen = app.listen.bind(app) as unknown as ListenOnHost;
  listen(host, port, reusePort ? 0 : EXCLUSIVE_PORT, (listener) => {
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
