import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * Ports are taken below the range from which the kernel gives source ports (32768 and up on Linux, 49152 on macOS).
 * Otherwise a client that reconnects to a stopped server can be given that very port, connect to itself and keep the
 * server from coming back.
 */
const FIRST_PORT = 15_000;
const LAST_PORT = 31_999;
const ATTEMPTS_MAX = 100;

/**
 * Ports that this process has given out. It never gives one out twice, as the server for it may not have started yet.
 */
const givenOut = new Set<number>();

/**
 * Finds a port of the loopback interface that nobody listens on now. Somebody may before you do: be ready to try again.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const port = randomInt(FIRST_PORT, LAST_PORT + 1);
    if (!givenOut.has(port) && (await isFree(port))) {
      givenOut.add(port);
      return port;
    }
  }
  throw new Error(`no free port found between ${FIRST_PORT} and ${LAST_PORT}`);
}

/** Tells whether a port is free on every interface: a server bound to all of them is in the way as well. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
