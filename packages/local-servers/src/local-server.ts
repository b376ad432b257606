import { LocalServersError } from './errors.js';
import { freePort } from './ports.js';
import type { Program } from './program.js';

/** A server of this machine that we started. */
export interface LocalServer extends Program {
  readonly port: number;
}

/** What every server that we start needs to know. */
export interface LocalServerOptions {
  /** Data, settings and log; a server started on the same folder later has its data again. */
  readonly dataDir: string;
  /** Programs that had to be fetched. */
  readonly cacheDir: string;
  /** Without it a free one, and another one when that is taken in the meantime. */
  readonly port?: number;
  /** Told what takes long. */
  readonly log: (line: string) => void;
}

export const LOOPBACK = '127.0.0.1';

const STARTS_MAX = 3;

/** Between the look for a free port and the server's bind somebody else may take it. A port asked for by name stays. */
export async function withFreePort<T>(port: number | undefined, start: (port: number) => Promise<T>): Promise<T> {
  if (port !== undefined) return start(port);
  for (let attempt = 1; ; attempt++) {
    try {
      return await start(await freePort());
    } catch (error) {
      const again = error instanceof LocalServersError && error.retryable && attempt < STARTS_MAX;
      if (!again) throw error;
    }
  }
}
