import { connect as connectNet, isIP, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';

/** A server that cannot be reached. The message says why in one line; `address` is `host:port`. */
export class ProbeError extends Error {
  override readonly name = 'ProbeError';
  readonly address: string;

  constructor(address: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.address = address;
  }
}

/** Time in ms that a server may take for each answer: within a second after its first line the log says what is wrong. */
export const ANSWER_MS = 900;

/** Connects to `host:port`, with TLS unless it is null. Rejects with ProbeError; whoever gets the socket destroys it. */
export function reach(address: string, tls: ConnectionOptions | null): Promise<Socket> {
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, colon).replace(/^\[|\]$/g, '');
  const port = Number(address.slice(colon + 1));
  return new Promise((resolve, reject) => {
    let connected = false;
    const socket =
      tls === null
        ? connectNet({ host, port })
        : connectTls({ host, port, ...(isIP(host) === 0 ? { servername: host } : {}), ...tls });
    const fail = (message: string, cause?: unknown): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(new ProbeError(address, tls !== null && connected ? `TLS: ${message}` : message, { cause }));
    };
    const timer = setTimeout(() => fail(`no answer within ${ANSWER_MS} ms (ETIMEDOUT)`), ANSWER_MS);
    socket.once('connect', () => (connected = true));
    socket.on('error', (error) => fail(reasonOf(error), error));
    socket.once('close', () => fail('the server closed the connection'));
    socket.once(tls === null ? 'connect' : 'secureConnect', () => {
      clearTimeout(timer);
      socket.removeAllListeners('close');
      resolve(socket);
    });
  });
}

/** Node's own text begins with the call and the code (`getaddrinfo ENOTFOUND redis`); OpenSSL's is long, and its reason is the code. */
function reasonOf(error: NodeJS.ErrnoException): string {
  // A name with several addresses: each of them failed.
  if (error instanceof AggregateError) return reasonOf(error.errors[0] as NodeJS.ErrnoException);
  const { code = '', message } = error;
  if (!code.startsWith('ERR_SSL_')) return message === '' ? code : message;
  return code.slice('ERR_SSL_'.length).toLowerCase().replaceAll('_', ' ');
}
