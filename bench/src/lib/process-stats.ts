import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { GatewayOptions } from './gateway.js';
import { mean } from './report.js';

/** Figures of the probe, in bytes and milliseconds. */
export interface ProcessStats {
  /** Time by the gateway's own clock. */
  readonly atMs: number;
  readonly rss: number;
  readonly heapUsed: number;
  readonly lagMs: { readonly p50: number; readonly p99: number; readonly max: number };
  readonly gc: { readonly pauseMaxMs: number; readonly majors: number };
}

/** Reads the probe of a gateway from its start on. */
export class ProcessStatsLog {
  readonly probe: NonNullable<GatewayOptions['probe']>;
  readonly #folder: string;
  readonly #file: string;
  #skipped = 0;

  private constructor(folder: string) {
    this.#folder = folder;
    this.#file = join(folder, 'vitals.jsonl');
    this.probe = {
      file: new URL('../workers/process-stats-probe.js', import.meta.url),
      env: { BENCH_VITALS_FILE: this.#file },
    };
  }

  static async create(): Promise<ProcessStatsLog> {
    return new ProcessStatsLog(await mkdtemp(join(tmpdir(), 'ws-gateway-vitals-')));
  }

  /** Forgets everything that was read so far. */
  async begin(pid: number): Promise<void> {
    process.kill(pid, 'SIGUSR2');
    this.#skipped = (await this.#lines()).length;
  }

  async read(): Promise<ProcessStats[]> {
    return (await this.#lines()).slice(this.#skipped).map((line) => JSON.parse(line) as ProcessStats);
  }

  async stop(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #lines(): Promise<string[]> {
    const text = await readFile(this.#file, 'utf8').catch(() => '');
    return text.split('\n').slice(0, -1);
  }
}

/** Slope of the straight line through the points, in the unit of `y` per unit of `x`. */
export function slope(points: readonly { readonly x: number; readonly y: number }[]): number {
  const [meanX, meanY] = [mean(points.map(({ x }) => x)), mean(points.map(({ y }) => y))];
  const covariance = points.reduce((sum, { x, y }) => sum + (x - meanX) * (y - meanY), 0);
  return covariance / points.reduce((sum, { x }) => sum + (x - meanX) ** 2, 0);
}
