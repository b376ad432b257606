import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { GatewayOptions } from './gateway.js';

export interface LongTurn {
  /** Its end, in µs of `nowMicros`. */
  readonly endMicros: number;
  readonly cpuMs: number;
}

/** Reads which turns of a gateway's event loop took long. */
export class TurnLog {
  readonly probe: NonNullable<GatewayOptions['probe']>;
  readonly #folder: string;
  readonly #file: string;

  private constructor(folder: string) {
    this.#folder = folder;
    this.#file = join(folder, 'turns');
    this.probe = {
      file: new URL('../workers/turn-probe.js', import.meta.url),
      env: { BENCH_TURNS_FILE: this.#file },
    };
  }

  static async create(): Promise<TurnLog> {
    return new TurnLog(await mkdtemp(join(tmpdir(), 'ws-gateway-turns-')));
  }

  async read(): Promise<LongTurn[]> {
    const lines = (await readFile(this.#file, 'utf8')).split('\n').slice(0, -1);
    return lines.map((line) => {
      const [endMicros = NaN, cpuMicros = NaN] = line.split(' ').map(Number);
      return { endMicros, cpuMs: cpuMicros / 1000 };
    });
  }

  async stop(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}
