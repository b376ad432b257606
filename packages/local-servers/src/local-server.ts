import { LocalServersError } from './errors.js';
import { freePort } from './ports.js';
import type { Program } from './program.js';

/** A server that was started on this machine. */
export interface LocalServer extends Program {
  readonly port: number;
}

/** Options of every server that is started. */
export interface LocalServerOptions {
  /** Folder for data, settings and log. A server that is started on the same folder later has its data again. */
  readonly dataDir: string;
  /** Folder for programs that had to be fetched. */
  readonly cacheDir: string;
  /** Port; without it a free one, and another one when that is taken in the meantime. */
  readonly port?: number;
  /** Called with a line about whatever takes long. */
  readonly log: (line: string) => void;
}

export const LOOPBACK = '127.0.0.1';

const STARTS_MAX = 3;

/**
 * Starts a server on a free port, and tries another one when somebody took that port between the look and the server's
 * bind. A port that was asked for stays.
 */
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
